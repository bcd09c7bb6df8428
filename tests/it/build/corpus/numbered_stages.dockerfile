FROM localhost/base
RUN echo zero > /zero
FROM localhost/base
RUN echo one > /one
COPY --from=0 /zero /
FROM scratch
COPY --from=0 /zero /a/
COPY --from=1 /one /zero /b/
