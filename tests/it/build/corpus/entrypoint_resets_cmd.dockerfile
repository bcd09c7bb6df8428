FROM localhost/base AS first
CMD ["a"]
FROM first
ENTRYPOINT ["b"]
