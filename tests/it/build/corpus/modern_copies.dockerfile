FROM localhost/base AS other
RUN mkdir -p /o && echo o > /o/file
FROM localhost/base
COPY --parents app/./lib/util.txt app/main.txt /parents/
COPY --exclude=*.txt app /excluded
COPY --link --chmod=0751 app/run.sh /linked/run.sh
COPY --from=other --chmod=600 /o/file /moded
ADD --unpack=false files.tar /whole/
