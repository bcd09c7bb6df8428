FROM localhost/base
COPY app /whole
COPY app/ app/lib /merged/
COPY app/*.txt /globbed/
COPY ["app/with space.txt", "/spaced/"]
COPY app/main.txt relative
COPY --chown=1000:1000 app /owned
COPY --chmod=600 app/main.txt /moded
WORKDIR /w
COPY app/main.txt .
COPY app/main.txt down/
