FROM localhost/base
RUN mkdir -p /opt/tool/bin /opt/tool/share/doc && echo tool > /opt/tool/bin/tool && chmod 4755 /opt/tool/bin/tool && \
    echo doc > /opt/tool/share/doc/readme && ln -s ../opt/tool/bin/tool /bin/tool
RUN rm -rf /opt/tool/share && mkdir /opt/tool/share && echo new > /opt/tool/share/only
RUN mv /opt/tool /opt/tool-1.0 && ln -s tool-1.0 /opt/tool
RUN chmod u-s /opt/tool/bin/tool && touch -d @0 /opt/tool/bin/tool && mkfifo /opt/pipe && \
    ln /opt/tool/bin/tool /opt/tool/bin/hard && rm /bin/tool && mkdir /bin/tool
COPY app/lib /opt/tool/lib
RUN rm -r /opt/tool-1.0/lib/util.txt && find / -xdev -name '*.orig' -exec rm {} +
