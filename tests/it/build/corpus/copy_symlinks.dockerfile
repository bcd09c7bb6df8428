FROM localhost/base
RUN mkdir -p /real && ln -s /real /via
COPY app/main.txt /via/
COPY app/link.txt /followed
COPY app /linked
