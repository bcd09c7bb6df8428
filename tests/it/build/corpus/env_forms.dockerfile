FROM localhost/base
ENV one a b  c
ENV two="quoted value" three=un\ quoted four='single $two'
ENV five=$two:$three six="${one}"
ENV SEARCH=/extra:$PATH
ENV seven="a\"b" eight=
RUN env | grep -v -e HOSTNAME -e HOME -e PWD -e SHLVL > /env
