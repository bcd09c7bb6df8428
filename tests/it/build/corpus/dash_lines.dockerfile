#!/usr/bin/env -S build -f
   # blanks before a comment, and before an instruction
  FROM   localhost/base   AS   only  
	RUN	echo   "tabs	and   blanks"   >   /blanks  
RUN echo one \
# between
  && echo "two # no comment" \   
  # and again

  && echo three > /three
RUN echo 'single \
quoted' > /joined
ENV A='x \
y' B="c \"d\" \$e" \
    C=trailing\ blank\ 
ARG LONG="a,b=c:d" EMPTY= QUOTED='' 
RUN echo "[$A][$B][$C][$LONG][$EMPTY][$QUOTED]" > /values
LABEL "a.b c"="d" e=f\
g h='i # j'
CMD [ "a" , "b\tc\u00e9" ]
