//! Stories of `kiln undo`: a container goes back.

use crate::support::{tell, with_base};

#[test]
fn steps_are_undone() {
    let Some(env) = with_base("undo::steps_are_undone") else { return };
    tell(
        &env,
        r#"
$ kiln from --cached --name c base
c
$ m=$(kiln mount c); echo 1 >$m/1; kiln config --env A=b c 2>/dev/null; echo 2 >$m/2; rm $m/1; kiln config --env A=c c 2>/dev/null; echo 3 >$m/3
$ kiln inspect --format '{{.OCIv1.Config.Env}}' c; cd $(kiln mount c); ls
[PATH=/bin KEPT=yes A=c]
2
3
etc
$ kiln undo c
changed by hand
$ ls $(kiln mount c)
2
etc
$ kiln undo c 2
config env A=c
changed by hand
$ kiln inspect --format '{{.OCIv1.Config.Env}}' c; ls $(kiln mount c)
[PATH=/bin KEPT=yes A=b]
1
etc
$ kiln undo c 3
! Error: cannot undo 3 steps of the container `c`: it has 2
! hint: see them with `kiln log c`
[125]
$ kiln undo c 2; kiln undo c 0; kiln log c; ls $(kiln mount c)
config env A=b
changed by hand
STEP  CREATED  SIZE  HOW  WHAT
etc
$ kiln undo c -1
! Error: cannot understand `-1`: `kiln undo` has no such flag
! hint: see `kiln undo --help`
[125]
$ cd $(kiln mount c); kiln undo c
! Error: cannot undo steps of the container `c`: someone is inside it
! hint: leave the directory it is mounted at, and let its commands end
[125]
"#,
    );
}
