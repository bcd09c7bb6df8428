FROM localhost/base AS deps
WORKDIR /work
RUN printf 'all:\n\techo made > /work/out\n' > Makefile && printf '#!/bin/sh\nset -e\nsed -n "s/^\\t//p" "${1:-Makefile}" | sh\n' > /bin/make && chmod +x /bin/make
FROM deps AS build
RUN make && make -f 2>/dev/null || make Makefile
FROM build AS package
RUN touch -d @0 /work/out && tar -C /work -cf /package.tar out && gzip -9n < /package.tar > /package.tar.gz && rm /package.tar
FROM deps
COPY --from=package /package.tar.gz /tmp/
RUN tar -xzf /tmp/package.tar.gz -C /work && rm /tmp/package.tar.gz && ls /work > /listing
