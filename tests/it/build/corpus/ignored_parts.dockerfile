FROM localhost/base
COPY . /all
COPY logs /logs
COPY app/main.txt logs/keep.log /some/
