//! Stories of file systems whose times of change say nothing: files are read there.

use super::with_busybox;
use crate::support::{Need, needs, tell};

#[test]
fn what_a_program_says_of_changes_is_not_believed() {
    let test = "what_a_program_says_of_changes_is_not_believed";
    if !needs(test, &[Need::Root, Need::Program("bindfs"), Need::File("/dev/fuse")]) {
        return;
    }
    let Some(mut env) = with_busybox(test) else { return };
    // The time of change is that of modification, as on sshfs: what is written behind our back looks as before.
    env.shell(
        "mkdir ../real \"$KILN_ROOT\" files context; bindfs --ctime-from-mtime ../real \"$KILN_ROOT\"
         bindfs --ctime-from-mtime files context",
    )
    .expect_code(0);
    env.set("STORAGE_DRIVER", "vfs");
    tell(
        &env,
        r#"
$ write() { echo $1 >files/f; touch -d 2001-01-01 files/f; stat -c '%i %s %Y %Z' context/f; }
> write one >before; kiln from -q --cached --name k oci:layout:localhost/base; kiln copy -q k context/f /f >out 2>&1; kiln run k cat /f 2>/dev/null
> write two >after; cmp before after; kiln from -q --cached --name l oci:layout:localhost/base; kiln copy -q l context/f /f >out 2>&1; kiln run l cat /f 2>/dev/null
k
one
l
two
$ # The same in a container whose files are in such a directory.
> kiln from -q --name c oci:layout:localhost/base; write() { kiln run c sh -c "echo $1 >/f; busybox touch -d '2001-01-01 00:00:00' /f; busybox stat -c '%i %s %Y %Z' /f"; }
> write one >before; kiln commit -q c one >out; write two >after; cmp before after; kiln commit -q c two >out
> for image in one two; do kiln from -q --name of-$image $image; kiln run of-$image cat /f; done; kiln diff two
c
of-one
one
of-two
two
C /etc
A /f
$ # A step whose files are as they were is not performed again.
> kiln from -q --cached --name m oci:layout:localhost/base; kiln copy -q m context/f /f 2>told; grep -c missed told
m
0
[1]
$ kiln rm --all | wc -l; kiln check
6
"#,
    );
}
