FROM localhost/base
HEALTHCHECK --interval=1m30s --timeout=5s --start-period=10s --retries=4 CMD test -e /healthy || exit 1
