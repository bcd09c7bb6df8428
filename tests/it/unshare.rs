//! Stories of `kiln unshare`: a session of its own.

use crate::support::{tell, with_base};

#[test]
fn a_command_runs_in_the_session() {
    let Some(env) = with_base("a_command_runs_in_the_session") else { return };
    tell(
        &env,
        r#"
$ kiln unshare echo words
words
$ kiln unshare sh -c 'exit 7'
[7]
$ kiln unshare sh -c 'kill -TERM $$'
! Terminated
[143]
$ kiln from --name one base
one
$ kiln unshare --mount one sh -c 'cat $KILN_MOUNT/etc/hello.conf; kiln mount | wc -l'
hello
1
$ kiln unshare --mount A=one --mount B=one sh -c 'test "$A" = "$B" && ls $A'
etc
$ kiln unshare --mount one,two=one sh -c 'test "$one" = "$two" && ls $one'
etc
$ kiln mount
$ kiln from -q --name gone base; kiln unshare --mount gone kiln rm gone | wc -l
gone
1
$ kiln unshare -- echo --not-a-flag
--not-a-flag
$ SHELL=/bin/true kiln unshare
$ kiln unshare nosuch
! Error: cannot run `nosuch`: No such file or directory (os error 2)
[125]
$ kiln unshare --mount nosuch true
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
"#,
    );
}
