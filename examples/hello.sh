#!/usr/bin/env bash
# Builds a runnable image from nothing but one file, shows it, and runs it. Needs no registry and no root.
#
#   examples/hello.sh            with KILN=/path/to/kiln, or `kiln` on the path, or built here first
set -euo pipefail
kiln=${KILN:-$(command -v kiln || true)}
if [ -z "$kiln" ]; then
    here=$(cd "$(dirname "$0")/.." && pwd)
    echo "building kiln, once ..." >&2
    cargo build --quiet --release --manifest-path "$here/Cargo.toml" --bin kiln
    kiln=${CARGO_TARGET_DIR:-$here/target}/release/kiln
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# One program that needs no other file: busybox where it is static, else one made here.
program=$(command -v busybox || true)
if [ -n "$program" ] && ! head -c 4096 "$program" | grep -aq '/ld-'; then
    cp "$program" "$scratch/busybox"
    name=busybox
    words=(/busybox echo "Hello from an image made of one file.")
elif command -v rustc >/dev/null; then
    echo 'fn main() { println!("Hello from an image made of one file."); }' >"$scratch/hello.rs"
    rustc -O -C target-feature=+crt-static -o "$scratch/hello" "$scratch/hello.rs"
    name=hello
    words=(/hello)
else
    echo "hello.sh: needs a static busybox (Debian: busybox-static) or rustc" >&2
    exit 1
fi
chmod 755 "$scratch/$name"

container=$("$kiln" from scratch)
"$kiln" copy -q "$container" "$scratch/$name" "/$name"
"$kiln" config --entrypoint "[\"/$name\"]" --label greeting=hello --workingdir / "$container"
"$kiln" commit -q "$container" hello
"$kiln" rm "$container" >/dev/null

"$kiln" images

# The image is whole: a new container made from it runs the program.
container=$("$kiln" from localhost/hello)
"$kiln" run "$container" -- "${words[@]}"
"$kiln" rm "$container" >/dev/null
