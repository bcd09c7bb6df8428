#!/usr/bin/env bash
# A session as people have it with Buildah, line by line. It runs unchanged with either program:
#
#   BUILDAH=kiln examples/buildah-session.sh
#   BUILDAH=buildah examples/buildah-session.sh
set -euo pipefail
buildah=${BUILDAH:-${KILN:-buildah}}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Where `mount` shows its path to the shell: as root anywhere, else inside `unshare`, which runs this script again.
if [ "$(id -u)" != 0 ] && [ -z "${IN_UNSHARE:-}" ]; then
    exec "$buildah" unshare env IN_UNSHARE=1 BUILDAH="$buildah" bash "$0"
fi

# A base to begin with: a static busybox and the names it answers to.
base=$("$buildah" from --name make-base scratch)
root=$("$buildah" mount "$base")
mkdir -p "$root/bin" "$root/etc" "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
for name in sh cat dd echo ls; do ln -s busybox "$root/bin/$name"; done
"$buildah" umount "$base" >/dev/null
"$buildah" config --cmd /bin/sh --env PATH=/bin "$base"
"$buildah" commit -q "$base" localhost/base
"$buildah" rm "$base" >/dev/null

# The name of a new container follows from the image; while it is taken, -1, -2 … are added.
c=$("$buildah" from localhost/base)
[ "$c" = base-working-container ]
second=$("$buildah" from localhost/base)
[ "$second" = base-working-container-1 ]
"$buildah" containers

# A container's files are files.
echo hi >"$("$buildah" mount "$c")/etc/hello.conf"
[ "$(cat "$("$buildah" mount "$c")/etc/hello.conf")" = hi ]

# Commands run in it, with directories of this machine where they are wanted.
mkdir "$scratch/data"
head -c 1000 /dev/zero >"$scratch/data/test.bin"
"$buildah" run --network host -v "$scratch/data:/data:Z" "$c" dd if=/data/test.bin of=/etc/small-test.bin bs=100 count=2
[ "$(stat -c %s "$("$buildah" mount "$c")/etc/small-test.bin")" = 200 ]
"$buildah" run --network host "$c" -- sh -c 'echo "and more" >>/etc/hello.conf'

# Files are copied in, with an owner and a mode of their own.
mkdir "$scratch/site"
echo index >"$scratch/site/index.html"
"$buildah" copy -q --chown 33:33 "$c" "$scratch/site" /srv
[ "$(stat -c %u "$("$buildah" mount "$c")/srv/index.html")" = 33 ]

# What the image will do when it is run.
"$buildah" config --env A=b --entrypoint '["/bin/cat"]' --cmd /etc/hello.conf --label a=b --port 80 \
    --user 0 --workingdir /srv --volume /v "$c"

"$buildah" commit -q "$c" hello
"$buildah" images
"$buildah" inspect --type image localhost/hello >"$scratch/inspect.json"
grep -q '"A=b"' "$scratch/inspect.json"

"$buildah" umount "$c" >/dev/null
"$buildah" rm "$c" "$second" >/dev/null
"$buildah" rmi localhost/hello localhost/base >/dev/null
echo "the session is done"
