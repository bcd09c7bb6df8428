//! Stories of `kiln umount`: containers are unmounted one by one or all together.

use crate::support::{tell, with_base};

#[test]
fn containers_are_unmounted() {
    let Some(env) = with_base("containers_are_unmounted") else { return };
    tell(
        &env,
        r#"
$ kiln umount -a
$ kiln from --name one base
one
$ kiln from --name two base
two
$ kiln mount one two >/dev/null
$ kiln umount one
<id-1>
$ kiln mount
two <dir>/store/containers/<id-2>/merged
$ kiln unmount two
<id-2>
$ kiln mount
$ kiln mount one two >/dev/null; kiln umount one two
<id-1>
<id-2>
$ kiln mount one two >/dev/null; kiln umount --all
<id-1>
<id-2>
$ kiln umount one
$ kiln mount
"#,
    );
}

#[test]
fn what_cannot_be_unmounted() {
    let Some(env) = with_base("what_cannot_be_unmounted") else { return };
    tell(
        &env,
        r#"
$ kiln umount
! Error: cannot unmount containers: none is named
! hint: name one, by name or id, or use --all
[125]
$ kiln umount nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln from --name one base
one
$ kiln umount -a one
! Error: cannot unmount `one` and all containers
! hint: name some, or use --all alone
[125]
$ kiln mount one >/dev/null; kiln umount nosuch one
<id-1>
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ cd "$(kiln mount one)"; kiln umount one
! Error: cannot unmount the container `one`: Device or resource busy (os error 16)
! hint: leave its directory first; `fuser -vm <dir>/store/containers/<id-1>/merged` names who is inside
[125]
$ kiln umount one
<id-1>
"#,
    );
}
