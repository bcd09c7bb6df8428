FROM localhost/base AS template
ONBUILD COPY --from=compiled /out /srv
ONBUILD RUN --mount=type=bind,from=compiled,source=/out,target=/in cp /in/program /copied
ONBUILD COPY --from=1 /out/program /by-number
FROM localhost/base AS compiled
RUN mkdir /out && echo program > /out/program
FROM template
RUN cat /srv/program > /used
