FROM localhost/base
ENV WHO=world
RUN <<EOF
set -e
echo "hello $WHO" > /hello
mkdir -p /a/b
EOF
RUN <<'S'
#!/bin/sh -e
echo of a script > /script
S
COPY <<one <<"two" /files/
value $WHO
one
kept $WHO
two
RUN cat > /indented <<-E
	line
	E
