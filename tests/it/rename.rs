//! Stories of `kiln rename`: containers change their names.

use crate::support::{tell, with_base};

#[test]
fn a_container_gets_another_name() {
    let Some(env) = with_base("a_container_gets_another_name") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln from --name two base
two
$ kiln rename one other
$ kiln containers --format '{{.ContainerName}}'
other
two
$ kiln from --name one base
one
$ kiln rename "$(kiln containers -q | head -n 1)" by-id
$ kiln containers --format '{{.ContainerName}}'
by-id
two
one
"#,
    );
}

#[test]
fn what_cannot_be_renamed() {
    let Some(env) = with_base("what_cannot_be_renamed") else { return };
    tell(
        &env,
        r#"
$ kiln rename
! Error: cannot do `kiln rename`: <CONTAINER> and <NAME> are missing
! hint: it is used so: kiln rename <CONTAINER> <NAME>
[125]
$ kiln from --name one base
one
$ kiln from --name two base
two
$ kiln rename one
! Error: cannot do `kiln rename`: <NAME> is missing
! hint: it is used so: kiln rename <CONTAINER> <NAME>
[125]
$ kiln rename nosuch x
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln rename one two
! Error: cannot name a container `two`: another container has that name
! hint: remove that one with `kiln rm two`, or choose another name
[125]
$ kiln rename one one
! Error: cannot rename the container `one`: that is its name already
[125]
$ kiln rename one ''
! Error: cannot name a container ``: a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit
! hint: choose one such as builder-1
[125]
$ kiln rename one a/b
! Error: cannot name a container `a/b`: a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit
! hint: choose one such as builder-1
[125]
$ kiln rename one two three
! Error: cannot understand `three`: `kiln rename` takes no further word
! hint: see `kiln rename --help`
[125]
$ kiln containers --format '{{.ContainerName}}'
one
two
"#,
    );
}
