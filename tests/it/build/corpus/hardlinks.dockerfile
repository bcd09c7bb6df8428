FROM localhost/base
RUN mkdir /h && echo shared > /h/a && ln /h/a /h/b && ln /h/a /h/c && rm /h/b && echo more >> /h/c
