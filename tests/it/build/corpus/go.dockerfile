# A compiler's stage, and an image with nothing but what it made.
FROM localhost/base AS build
WORKDIR /src
COPY app/main.txt app/run.sh ./
COPY app/lib ./lib
ARG LDFLAGS="-s -w"
RUN mkdir -p /out && cat main.txt lib/util.txt > /out/app && echo "$LDFLAGS" >> /out/app && chmod 755 /out/app
FROM scratch
COPY --from=build /out/app /app
COPY --from=build /etc/passwd /etc/group /etc/
USER 1000:1000
ENTRYPOINT ["/app"]
CMD ["--help"]
