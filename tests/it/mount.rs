//! Stories of `kiln mount`: where containers are mounted, and what is listed.

use crate::support::{tell, with_base};

#[test]
fn containers_are_mounted_and_listed() {
    let Some(env) = with_base("containers_are_mounted_and_listed") else { return };
    tell(
        &env,
        r#"
$ kiln mount
$ kiln from --name one base
one
$ kiln from --name two scratch
two
$ kiln mount one
<dir>/store/containers/<id-1>/merged
$ kiln mount one
<dir>/store/containers/<id-1>/merged
$ ls -A "$(kiln mount one)"; ls -A "$(kiln mount two)"
etc
$ kiln mount one two
one <dir>/store/containers/<id-1>/merged
two <dir>/store/containers/<id-2>/merged
$ kiln mount
one <dir>/store/containers/<id-1>/merged
two <dir>/store/containers/<id-2>/merged
$ kiln mount --json
[
    {
        "container": "one",
        "mountPoint": "<dir>/store/containers/<id-1>/merged"
    },
    {
        "container": "two",
        "mountPoint": "<dir>/store/containers/<id-2>/merged"
    }
]
$ kiln mount --json one
[
    {
        "container": "one",
        "mountPoint": "<dir>/store/containers/<id-1>/merged"
    }
]
$ echo new >"$(kiln mount two)/file"; cat "$(kiln mount two)/file"
new
$ stat -c '%a %u:%g' "$(kiln mount two)"
755 0:0
"#,
    );
}

#[test]
fn what_cannot_be_mounted() {
    let Some(env) = with_base("what_cannot_be_mounted") else { return };
    tell(
        &env,
        r#"
$ kiln mount nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln from --name one base
one
$ kiln mount nosuch one
one <dir>/store/containers/<id-1>/merged
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln mount --nosuch
! Error: cannot understand `--nosuch`: `kiln mount` has no such flag
! hint: see `kiln mount --help`
[125]
$ kiln mount base
! Error: cannot find the container `base`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
"#,
    );
}

/// Overlay takes no directory twice.
#[test]
fn an_image_that_has_a_layer_twice_is_mounted() {
    let Some(env) = with_base("an_image_that_has_a_layer_twice_is_mounted") else { return };
    tell(
        &env,
        r#"
$ mkdir context; echo first >context/f; echo second >context/g
$ printf 'FROM base\nCOPY f /f\nCOPY g /f\nCOPY g /g\nCOPY f /f\n' >context/Dockerfile
$ kiln build -q --layers --timestamp 0 -t twice context >id; kiln push -q twice oci:out:twice
$ kiln rmi -f -a >removed; kiln prune --all >removed 2>&1; kiln pull -q oci:out:twice >id
$ kiln inspect --type image --format '{{range .OCIv1.RootFS.DiffIDs}}{{println .}}{{end}}' twice | sort | uniq -d | grep -c sha256
1
$ cat "$(kiln mount "$(kiln from twice)")/f"
first
$ printf 'FROM twice\nCOPY --from=twice /f /h\n' >context/Dockerfile; kiln build -q -t over context >id; cat "$(kiln mount "$(kiln from over)")/h"
first
$ kiln check
"#,
    );
}
