FROM localhost/base
RUN touch /setuid && chmod 4755 /setuid && mkdir /sticky && chmod 1777 /sticky && chown 5:6 /sticky
COPY app/run.sh /run.sh
