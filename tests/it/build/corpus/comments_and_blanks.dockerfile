# a comment at the top

FROM localhost/base
# between
RUN echo a \
# inside
    b > /ab
  # indented
RUN   echo   spaced   >   /spaced
