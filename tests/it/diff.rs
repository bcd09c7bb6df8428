//! Stories of `kiln diff`: what became of each path.

use crate::support::{tell, with_base};

#[test]
fn what_changed_is_listed() {
    let Some(env) = with_base("diff::what_changed_is_listed") else { return };
    tell(
        &env,
        r#"
$ kiln from --cached --name c base
c
$ kiln diff c
$ m=$(kiln mount c); echo new >$m/new; chmod 600 $m/etc/passwd; mkdir -p $m/d/e; ln -s new $m/link; kiln config --label a=b c 2>/dev/null
$ kiln diff c
A /d
A /d/e
C /etc
C /etc/passwd (mode 0600, was 0644)
A /link
A /new
$ m=$(kiln mount c); rm $m/new $m/etc/hello.conf; chown 3:4 $m/etc/passwd; ln -sfn passwd $m/link; kiln diff c
A /d
A /d/e
C /etc
D /etc/hello.conf
C /etc/passwd (mode 0600, was 0644; owner 3:4, was 0:0)
A /link
$ kiln diff --at 1 c | grep new
A /new
$ kiln diff --format json c
{
    "added": [
        "/d",
        "/d/e",
        "/link"
    ],
    "changed": [
        "/etc",
        "/etc/passwd"
    ],
    "deleted": [
        "/etc/hello.conf"
    ]
}
$ kiln diff --stat --at 1 c
A  +0 B  /d
A  +0 B  /d/e
C  +0 B  /etc
C  +0 B  /etc/passwd
A  +0 B  /link
A  +4 B  /new
4 added, 2 changed, 0 removed, +4 B
$ kiln commit -q --timestamp 0 c made >/dev/null; kiln diff made
A /d
A /d/e
C /etc
D /etc/hello.conf
C /etc/passwd (mode 0600, was 0644; owner 3:4, was 0:0)
A /link
$ kiln diff --against made c; kiln diff --against base c
A /d
A /d/e
D /etc/hello.conf
C /etc/passwd (mode 0600, was 0644; owner 3:4, was 0:0)
A /link
$ kiln diff nosuch
! Error: cannot find a container or image `nosuch`
! hint: see what there is with `kiln containers` and `kiln images`
[125]
$ kiln diff --at 9 c
! Error: cannot find step 9 of the container `c`: it has 3 steps
! hint: see them with `kiln log c`
[125]
"#,
    );
}
