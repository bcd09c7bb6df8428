FROM localhost/base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=off
WORKDIR /srv
COPY app/main.txt requirements.txt
RUN mkdir -p /usr/lib/site-packages && while read line; do echo "$line" > /usr/lib/site-packages/$line; done < requirements.txt
COPY ./app ./app
EXPOSE 8000/tcp
CMD python -m http.server 8000
