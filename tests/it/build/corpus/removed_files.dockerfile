FROM localhost/base
RUN echo a > /etc/a && echo b > /etc/b
RUN rm /etc/a && rm -r /tmp && mkdir /tmp && ln -s /etc/b /link && ln /etc/b /hard
