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
