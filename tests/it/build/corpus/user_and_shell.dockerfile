FROM localhost/base
RUN mkdir /work && chown user /work
USER user
WORKDIR /work
RUN id -u > me && touch mine
SHELL ["/bin/sh", "-ec"]
RUN echo changed > shell

