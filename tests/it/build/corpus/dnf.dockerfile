FROM localhost/base
RUN printf '#!/bin/sh\necho "$@" >> /var-log\n' > /bin/dnf && chmod 755 /bin/dnf; ln -s dnf /bin/microdnf
RUN dnf -y --setopt=tsflags=nodocs install httpd && \
    dnf clean all && \
    rm -rf /var/cache/dnf
LABEL name="web" \
      vendor="A & B, \"Inc.\"" \
      version='1.0'
