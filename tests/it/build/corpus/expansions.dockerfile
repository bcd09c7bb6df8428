FROM localhost/base
ARG P=a/b/c
ENV A=${P:-x} B=${NONE:-fallback} C=${P:+set} D=\$P E='$P'
USER ${UID_TEXT:-1000:1000}
EXPOSE 8000 ${PORT:-53}/udp
VOLUME /data $A
STOPSIGNAL SIGTERM
