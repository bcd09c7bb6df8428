ARG TAG=base
ARG PREFIX=localhost
FROM $PREFIX/$TAG AS x
ARG TAG
RUN echo "tag=$TAG prefix=${PREFIX:-unset}" > /seen
FROM x
ARG TAG=own
RUN echo "tag=$TAG" > /seen2
