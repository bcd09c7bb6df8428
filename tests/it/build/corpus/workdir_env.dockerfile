FROM localhost/base
ENV BASE=/srv NAME=app
WORKDIR $BASE/${NAME}
RUN pwd > where
WORKDIR deeper
WORKDIR ../other
RUN pwd > where
