FROM localhost/base
CMD ["a"]
ENTRYPOINT ["b"]
