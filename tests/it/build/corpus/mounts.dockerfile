FROM localhost/base AS made
RUN echo made > /made
FROM localhost/base
RUN --mount=type=bind,source=app,target=/in cat /in/main.txt > /one
RUN --mount=type=bind,from=made,source=/made,target=/in/made cat /in/made > /two
RUN --mount=type=tmpfs,target=/scratch --network=none touch /scratch/x && echo three > /three
