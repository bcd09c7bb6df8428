FROM localhost/base
ONBUILD RUN echo later > /later
ONBUILD COPY app/main.txt /late.txt
