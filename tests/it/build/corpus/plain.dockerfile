FROM localhost/base
RUN echo hello > /hello && mkdir -p /a/b
COPY app/main.txt /app/main.txt
CMD ["cat", "/hello"]
