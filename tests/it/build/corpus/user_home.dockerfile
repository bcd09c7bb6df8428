FROM localhost/base
USER user
WORKDIR /home/work
RUN id -u > /tmp/id && touch /tmp/of-user
USER root
RUN chown user /home && touch /of-root
USER user:extra
RUN id -g > /tmp/group
