//! Stories of `kiln prune`: what nothing needs goes.

use crate::support::{tell, with_base};

#[test]
fn what_nothing_needs_goes() {
    let Some(env) = with_base("what_nothing_needs_goes") else { return };
    tell(
        &env,
        r#"
$ kiln prune
! removed 0 trees and 0 blobs
$ kiln from --name one scratch
one
$ kiln commit -q --timestamp 0 one made >/dev/null
$ kiln commit -q --timestamp 1 one made
<id-1>
$ kiln from --name two base
two
$ kiln prune
<id-2>
! removed 0 trees and 2 blobs
$ kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
localhost/made:latest
$ kiln prune -a
<id-1>
! removed 1 trees and 2 blobs
$ kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
$ kiln rm -a >/dev/null; kiln prune --all
<id-3>
! removed 1 trees and 3 blobs
$ kiln images -q
$ ls -A "$KILN_ROOT/images/blobs/sha256" "$KILN_ROOT/layers" "$KILN_ROOT/containers"
<dir>/store/containers:

<dir>/store/images/blobs/sha256:

<dir>/store/layers:
$ kiln prune extra
! Error: cannot understand `extra`: `kiln prune` takes no further word
! hint: see `kiln prune --help`
[125]
$ kiln prune --nosuch
! Error: cannot understand `--nosuch`: `kiln prune` has no such flag
! hint: see `kiln prune --help`
[125]
"#,
    );
}
