# syntax=docker/dockerfile:1
# check=skip=FromAsCasing
ARG RUBY_VERSION=3.3
FROM localhost/base as base
WORKDIR /rails
ARG RUBY_VERSION
ENV RAILS_ENV="production" \
    BUNDLE_DEPLOYMENT="1" \
    BUNDLE_PATH="/usr/local/bundle" \
    RUBY="ruby-${RUBY_VERSION}"

FROM base as build
RUN mkdir -p /usr/local/bundle && echo gem > /usr/local/bundle/gem
COPY app/main.txt app/link.txt ./
RUN rm -rf ~/.bundle/ "${BUNDLE_PATH}"/ruby/*/cache && cat main.txt > /usr/local/bundle/lock
COPY . .
RUN SECRET=1 sh -c 'echo $SECRET > precompiled'

FROM base
COPY --from=build "${BUNDLE_PATH}" "${BUNDLE_PATH}"
COPY --from=build /rails /rails
RUN echo rails:x:1500: >> /etc/group && \
    echo rails:x:1500:1500::/rails:/bin/sh >> /etc/passwd && \
    mkdir -p db log && chown -R rails:rails db log
USER 1500:1500
ENTRYPOINT ["/rails/bin/docker-entrypoint"]
EXPOSE 3000
CMD ["./bin/rails", "server"]
