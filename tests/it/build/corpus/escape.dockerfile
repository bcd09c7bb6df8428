# escape=`
FROM localhost/base
RUN echo one `
    two > /out
