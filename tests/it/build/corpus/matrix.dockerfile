ARG VARIANT=two
ARG TAG
FROM localhost/base:${TAG:-latest} AS common
RUN echo common > /common
FROM common AS one
RUN echo one > /variant
FROM common AS two
RUN echo two > /variant
FROM ${VARIANT} AS chosen
RUN echo chosen >> /variant
FROM common AS tests
RUN exit 1
FROM chosen
LABEL variant=chosen
COPY --from=one /variant /others/one
COPY --from=3 /variant /others/three
