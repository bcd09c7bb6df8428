# syntax=docker/dockerfile:1.7
FROM localhost/base AS base
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,id=lists,target=/var/lib/apt \
    mkdir -p /var/cache/apt/archives && echo package > /var/cache/apt/archives/x.deb && cp /var/cache/apt/archives/x.deb /installed
FROM base
WORKDIR /src
RUN --mount=type=cache,target=/root/.cache/build,uid=1000,gid=1000,mode=0750 \
    --mount=type=bind,source=app/main.txt,target=main.txt \
    --mount=type=bind,from=base,source=/installed,target=/mnt/installed \
    cat main.txt /mnt/installed > /out && stat -c '%u:%g %a' /root/.cache/build >> /out
RUN --mount=type=tmpfs,target=/tmp,size=1m --mount=type=secret,id=none <<EOF
test ! -e /run/secrets/none
echo scratch > /tmp/x
cp /tmp/x /from-tmp
EOF
