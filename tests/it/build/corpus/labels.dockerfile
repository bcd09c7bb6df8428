FROM localhost/base
ARG REV=abc
LABEL org.example.one=1 org.example.rev=$REV
LABEL "org.example.two words"="a b" \
      org.example.multi="line one \
line two"
LABEL org.example.old style of label
