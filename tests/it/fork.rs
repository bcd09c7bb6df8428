//! Stories of `kiln fork`: two containers from one.

use crate::support::{tell, with_base};

#[test]
fn a_fork_goes_its_own_way() {
    let Some(env) = with_base("fork::a_fork_goes_its_own_way") else { return };
    tell(
        &env,
        r#"
$ kiln from --cached --name c base
c
$ echo 1 >$(kiln mount c)/1; kiln config --label a=b c 2>/dev/null; echo 2 >$(kiln mount c)/2
$ kiln fork c
c-1
$ kiln fork --at 1 --name early c
early
$ kiln fork --at 0 c
c-2
$ for n in '' -1 -2; do echo c$n: $(ls $(kiln mount c$n)); done
c: 1 2 etc
c-1: 1 2 etc
c-2: etc
$ echo 3 >$(kiln mount c-1)/3; for c in c c-1 early c-2; do echo $c: $(ls $(kiln mount $c)); done
c: 1 2 etc
c-1: 1 2 3 etc
early: 1 etc
c-2: etc
$ kiln inspect --format '{{.OCIv1.Config.Labels}}' c-1; kiln inspect --format '{{.OCIv1.Config.Labels}}' early
map[a:b of:base]
map[of:base]
$ kiln rm c >/dev/null; kiln prune; ls $(kiln mount early)
1
etc
! removed 0 trees and 0 blobs
$ kiln fork --at 9 early
! Error: cannot find step 9 of the container `early`: it has 1 steps
! hint: see them with `kiln log early`
[125]
$ kiln fork --name c-1 early
! Error: cannot name a container `c-1`: another container has that name
! hint: remove that one with `kiln rm c-1`, or choose another name
[125]
"#,
    );
}
