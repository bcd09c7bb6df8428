FROM localhost/base
ENTRYPOINT []
CMD []
