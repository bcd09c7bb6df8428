FROM scratch
COPY app/main.txt /
LABEL only=this
