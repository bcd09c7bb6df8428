FROM localhost/base
SHELL ["/bin/sh", "-eo", "pipefail", "-c"]
RUN echo a b c | tr ' ' '\n' | wc -l > /count
RUN if false | true; then echo hidden; else echo seen; fi > /status
RUN x=$(printf '%s\n' "a  b" 'c$d' "e\"f" g\\h) && \
    printf '%s' "$x" > /words && : "${y:=default}" && echo "$y" >> /words
RUN for i in 1 2 3; do \
      case "$i" in \
        (2) echo two ;; \
        (*) echo "$i" ;; \
      esac; \
    done > /loop; \
    cat > /doc; \
    test ! -s /doc
RUN ["/bin/sh", "-c", "echo \"exec $HOME \\t é\" > /exec"]
CMD ["echo", "$HOME"]
