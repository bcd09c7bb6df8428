FROM localhost/base
SHELL ["/bin/sh", "-ec"]
RUN false || true; echo here > /here
CMD ["echo", "exec form"]
