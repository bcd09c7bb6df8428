FROM localhost/base AS collect
WORKDIR /from
COPY . .
RUN mkdir -p keep/deep && mv app/lib keep/deep/ && chmod 700 keep && chown 5:6 keep/deep
FROM scratch
COPY --parents app/./lib/*.txt ./logs/../app/*.txt /plain/
COPY --parents --from=collect /from/./keep/**/*.txt /pivot/
COPY --parents --exclude=**/util.txt --chown=7:8 app/ /excluded/
COPY --chmod=u=rwX,go=rX --parents app/run.sh /moded/
