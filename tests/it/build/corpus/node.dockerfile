FROM localhost/base
ENV NODE_ENV production
WORKDIR /usr/src/app
COPY ["app/main.txt", "app/link.txt*", "./"]
RUN mkdir node_modules && cp main.txt node_modules/.package-lock.json && mv node_modules ../
COPY . .
EXPOSE 3000
RUN chown -R user /usr/src/app
USER user
CMD ["node", "index.js"]
