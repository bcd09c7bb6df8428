FROM localhost/base
COPY --chown=user:extra app/main.txt /by-name
COPY --chown=user app/lib /of-user/
ADD --chown=7:8 files.tar /of-numbers/
ADD --chown=1000 app/run.sh /run.sh
