FROM localhost/base
ARG USERNAME=dev
ARG USER_UID=1234
ARG USER_GID=$USER_UID
RUN echo "$USERNAME:x:$USER_GID:" >> /etc/group && \
    echo "$USERNAME:x:$USER_UID:$USER_GID::/home/$USERNAME:/bin/sh" >> /etc/passwd && \
    mkdir -p /workspaces/.cache && chown $USERNAME:$USERNAME /workspaces /workspaces/.cache
ENV HOME=/home/$USERNAME XDG_CACHE_HOME="/workspaces/.cache"
USER $USERNAME
WORKDIR /workspaces/project
COPY --chown=${USERNAME}:$USER_GID app .
RUN id -u > uid && id -g > gid && echo "$HOME ~$USERNAME" > home
ENV PATH=$HOME/bin:$PATH
LABEL user.name=$USERNAME user.ids="$USER_UID:${USER_GID}"
VOLUME ["/workspaces/.cache"]
