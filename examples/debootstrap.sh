#!/usr/bin/env bash
# A Debian base image made with debootstrap in a mounted container: no Dockerfile, no base image. Needs root.
#
#   examples/debootstrap.sh [RELEASE [MIRROR]]     release and mirror of this machine unless given
set -euo pipefail
kiln=${KILN:-kiln}
release=${1:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
mirror=${2:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)}

container=$("$kiln" from scratch)
root=$("$kiln" mount "$container")
debootstrap --variant=minbase "$release" "$root" "$mirror" >&2

# What every machine makes anew has no place in an image.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log
"$kiln" umount "$container" >/dev/null

"$kiln" run "$container" -- dpkg --audit
"$kiln" config --cmd /bin/bash --env LANG=C.UTF-8 --label "release=$release" "$container"
"$kiln" commit --rm "$container" "debian:$release"
