#!/usr/bin/env bash
# A minimal image of RPM packages: dnf installs into the mounted container, so the image holds no package manager.
# Needs root.
#
#   examples/minimal-dnf.sh REPOSITORY PACKAGE...     e.g. a directory that createrepo_c has been over, or a URL
set -euo pipefail
kiln=${KILN:-kiln}
if [ $# -lt 2 ]; then
    echo "usage: minimal-dnf.sh REPOSITORY PACKAGE..." >&2
    exit 2
fi
repository=$1
shift
case $repository in /*) repository=file://$repository ;; esac

WORKING_MOUNT=$("$kiln" mount "$("$kiln" from scratch)")
dnf --installroot "$WORKING_MOUNT" --repofrompath "here,$repository" --repo here --releasever 1 \
    --setopt install_weak_deps=false --nogpgcheck --nodocs -y install "$@" >&2
dnf --installroot "$WORKING_MOUNT" --repofrompath "here,$repository" --repo here --releasever 1 clean all >&2

"$kiln" umount working-container >/dev/null
"$kiln" commit --rm working-container minimal
