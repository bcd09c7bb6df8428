FROM --platform=$BUILDPLATFORM localhost/base AS build
ARG TARGETPLATFORM
ARG TARGETOS
ARG TARGETARCH TARGETVARIANT
ARG BUILDPLATFORM
RUN test "$BUILDPLATFORM" = "$TARGETPLATFORM" && mkdir -p /out/${TARGETOS}_${TARGETARCH}${TARGETVARIANT:+_$TARGETVARIANT} && \
    echo "$TARGETOS/$TARGETARCH" > /out/platform
FROM build AS linux
RUN echo linux > /out/os
FROM linux AS choice
FROM scratch
COPY --from=choice /out /
