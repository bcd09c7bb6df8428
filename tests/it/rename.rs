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
! error: the following required arguments were not provided:
!   <CONTAINER>
!   <NAME>
!
! Usage: kiln rename <CONTAINER> <NAME>
!
! For more information, try '--help'.
[125]
$ kiln from --name one base
one
$ kiln from --name two base
two
$ kiln rename one
! error: the following required arguments were not provided:
!   <NAME>
!
! Usage: kiln rename <CONTAINER> <NAME>
!
! For more information, try '--help'.
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
[125]
$ kiln rename one a/b
! Error: cannot name a container `a/b`: a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit
[125]
$ kiln rename one two three
! error: unexpected argument 'three' found
!
! Usage: kiln rename [OPTIONS] <CONTAINER> <NAME>
!
! For more information, try '--help'.
[125]
$ kiln containers --format '{{.ContainerName}}'
one
two
"#,
    );
}
