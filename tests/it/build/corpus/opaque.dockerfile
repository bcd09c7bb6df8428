FROM localhost/base
RUN mkdir -p /d/e && echo 1 > /d/e/one && echo 2 > /d/two
RUN rm -rf /d && mkdir -p /d/e && echo 3 > /d/e/three
RUN mv /d/e /d/f && rm /etc/group && mkdir /etc/group
