FROM localhost/base AS one
ENV FROM_ONE=1
RUN echo one > /one
WORKDIR /deep
FROM one AS two
RUN echo two > /two; echo "$FROM_ONE" > three
FROM two
COPY --from=0 /one /copied
COPY --from=two /two /also
