FROM localhost/base
RUN echo one \
    && echo two > /two
RUN ["sh", "-c", "echo three > /three"]
ENTRYPOINT cat /two
CMD cat /three
