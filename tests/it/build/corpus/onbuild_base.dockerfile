FROM localhost/base AS template
ONBUILD ARG APP=app
ONBUILD COPY $APP /srv/
ONBUILD RUN cat /srv/main.txt > /built && echo "$APP" >> /built
ONBUILD ENV TEMPLATE=used
ONBUILD WORKDIR /srv
FROM template AS service
RUN pwd > /where
FROM localhost/base
COPY --from=service /built /where /
