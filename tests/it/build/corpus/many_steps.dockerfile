FROM localhost/base
RUN echo 1 > /f
RUN echo 2 >> /f
RUN echo 3 >> /f
ENV A=4
RUN echo $A >> /f
RUN echo 5 >> /f && touch /g
RUN rm /g
RUN echo 6 >> /f
RUN mkdir /d
RUN echo 7 > /d/e
RUN chmod 700 /d
RUN echo 8 > /d/e
RUN ln -s d /s
