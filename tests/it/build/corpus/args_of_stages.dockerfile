ARG GLOBAL=everywhere
FROM localhost/base AS one
ARG GLOBAL
ARG OWN=of-one LATER=$OWN
ENV SHADOW=env
ARG SHADOW=arg
RUN echo "$GLOBAL $OWN ${LATER:-empty} $SHADOW" > /one
FROM one AS two
RUN echo "$GLOBAL $OWN ${LATER:-empty} $SHADOW" > /two
ARG OWN=of-two
LABEL own=$OWN
FROM localhost/base AS beside
RUN echo "${GLOBAL:-none} ${OWN:-none}" > /beside
FROM two AS three
RUN echo "$OWN" > /three
FROM localhost/base AS three
ARG OWN
RUN echo "${OWN:-none}" > /other
FROM three
COPY --from=two /one /two /
COPY --from=beside /beside /
