FROM scratch
COPY --from=localhost/base /etc/passwd /etc/group /etc/
COPY --from=localhost/base /bin /bin/
ENV PATH=/bin
RUN ["/bin/sh", "-c", "echo ran > /ran"]
