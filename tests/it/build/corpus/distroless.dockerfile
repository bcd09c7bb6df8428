FROM localhost/base AS certs
RUN mkdir -p /rootfs/etc/ssl/certs /rootfs/tmp /rootfs/home/nonroot /rootfs/usr/share/zoneinfo && \
    echo cert > /rootfs/etc/ssl/certs/ca-certificates.crt && \
    printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' > /rootfs/etc/passwd && \
    chmod 1777 /rootfs/tmp && chown 65532:65532 /rootfs/home/nonroot && chmod 700 /rootfs/home/nonroot
FROM scratch AS static
COPY --from=certs /rootfs /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER nonroot
WORKDIR /home/nonroot
FROM static
COPY --from=certs --chown=nonroot:65532 /bin/busybox /app
COPY --chown=nonroot app/main.txt config/
ENTRYPOINT ["/app"]
