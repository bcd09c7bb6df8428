FROM localhost/base
RUN mkdir -p /real/sub && ln -s real /link && ln -s /real/sub /absolute
COPY app/main.txt /link/
COPY app/lib /absolute/
WORKDIR /link/below
RUN echo x > here
