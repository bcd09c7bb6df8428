FROM localhost/base
ARG A=one
ARG B=$A-two
ARG C
ARG D=${C:-none}${B}
ENV E=$D
RUN echo "$A $B $C $D $E" > /args
ARG A=changed
RUN echo "$A" > /later
