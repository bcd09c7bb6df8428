FROM localhost/base
RUN echo one > /one && \
    echo two > /two
COPY app/main.txt /main.txt
CMD ["cat", "/one"]
