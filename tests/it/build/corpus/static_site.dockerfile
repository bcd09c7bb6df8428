# A page that is made in one stage and served by another, as web servers' images have it.
ARG NODE=localhost/base
ARG SERVER=localhost/base
FROM ${NODE} AS build
WORKDIR /site
COPY app/main.txt ./package.json
RUN true && mkdir node_modules && cp package.json node_modules/
COPY . .
ARG PUBLIC_URL=/
ENV PUBLIC_URL=${PUBLIC_URL}
RUN mkdir -p dist/assets && { echo "<a href=\"$PUBLIC_URL\">"; cat app/*.txt; } > dist/index.html && \
    cp app/lib/* dist/assets
FROM ${SERVER}
RUN mkdir -p /var/log/server /etc/server/conf.d && \
    ln -sf /dev/stdout /var/log/server/access.log && \
    ln -sf /dev/stderr /var/log/server/error.log
COPY --from=build /site/dist /usr/share/server/html
COPY --from=build --chown=0:0 /site/app/run.sh /docker-entrypoint.d/10-listen.sh
EXPOSE 80/tcp 443
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/docker-entrypoint.d/10-listen.sh"]
CMD ["server", "-g", "daemon off;"]
