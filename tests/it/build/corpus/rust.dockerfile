ARG BASE=localhost/base
FROM ${BASE} AS chef
WORKDIR /app
FROM chef AS planner
COPY app .
RUN cat main.txt > recipe.json
FROM chef AS builder
COPY --from=planner /app/recipe.json recipe.json
RUN mkdir -p target/release && cp recipe.json target/release/deps
COPY app .
RUN cat target/release/deps lib/util.txt > target/release/server
FROM ${BASE} AS runtime
COPY --from=builder /app/target/release/server /usr/local/bin/server
ENTRYPOINT ["/usr/local/bin/server"]
