FROM localhost/base AS build
WORKDIR /src
COPY app .
RUN cat main.txt lib/util.txt > /out.txt && chmod 755 /out.txt
FROM localhost/base AS unused
RUN false
FROM scratch
COPY --from=build /out.txt /bin/app
ENTRYPOINT ["/bin/app"]
