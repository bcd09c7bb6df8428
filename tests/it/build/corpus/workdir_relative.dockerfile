FROM localhost/base
WORKDIR /one
WORKDIR two
WORKDIR ../three
RUN pwd > /pwd
