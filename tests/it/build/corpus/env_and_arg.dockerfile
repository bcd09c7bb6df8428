ARG BASE=localhost/base
FROM ${BASE}
ARG VERSION=1.2
ARG EMPTY
ENV APP_HOME=/opt/app VERSION_TEXT="v${VERSION}" PLAIN=a\ b
ENV CHAIN=$APP_HOME/x
ENV OLD form with blanks
RUN echo "$VERSION $CHAIN ${EMPTY:-none}" > /values
WORKDIR $APP_HOME
RUN pwd > where
LABEL version=$VERSION "quoted key"="a b" other='single $VERSION'
