FROM localhost/base
RUN set -eux; \
	echo 'data:x:999:' >> /etc/group; \
	echo 'data:x:999:999:data:/var/lib/data:/bin/sh' >> /etc/passwd; \
	mkdir -p /var/lib/data /var/run/data /docker-entrypoint-initdb.d; \
	chown -R data:data /var/lib/data /var/run/data; \
# world writable, for any user may be chosen later
	chmod 3777 /var/run/data
ENV LANG en_US.utf8
ENV DATA_MAJOR 16
ENV DATA_VERSION 16.4-1.pgdg120+1
ENV PATH $PATH:/usr/lib/data/$DATA_MAJOR/bin
ENV DATADIR /var/lib/data/files
RUN install -d -m 1777 -o 999 -g 999 "$DATADIR" 2>/dev/null || { mkdir -p "$DATADIR" && chown 999:999 "$DATADIR" && chmod 1777 "$DATADIR"; }
VOLUME /var/lib/data/files
COPY app/run.sh /usr/local/bin/docker-entrypoint.sh
RUN ln -sT /usr/local/bin/docker-entrypoint.sh /docker-entrypoint.sh 2>/dev/null || ln -s /usr/local/bin/docker-entrypoint.sh /docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["data"]
