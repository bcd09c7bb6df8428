FROM localhost/base
ARG DEBIAN_FRONTEND=noninteractive
RUN printf '#!/bin/sh\nmkdir -p /var/lib/apt/lists /usr/share/pkg\nshift\nfor p; do case $p in -*) ;; *) echo $p > /usr/share/pkg/$p ;; esac; done; touch /var/lib/apt/lists/x\n' > /bin/apt-get && chmod +x /bin/apt-get
RUN set -eux; \
    apt-get update; \
    apt-get install -y --no-install-recommends \
        ca-certificates \
        # a comment in between
        curl \
    ; \
    rm -rf /var/lib/apt/lists/*
