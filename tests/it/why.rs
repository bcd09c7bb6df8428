//! Stories of `kiln why`: what a step was done for.

use crate::support::{tell, with_base};

#[test]
fn reasons_are_given() {
    let Some(env) = with_base("why::reasons_are_given") else { return };
    tell(
        &env,
        r#"
$ mkdir src; echo a >src/a; kiln copy -q $(kiln from --cached --name one base) src /dst 2>&1 | sed 's/ran .*/ran/'
ran
$ echo b >src/a; kiln copy -q $(kiln from --cached --name two base) src /dst 2>&1 | sed 's/ran .*/ran/'
missed: src/a changed
ran
$ kiln why one | head -n 2
step 1: copy src /dst
no step like it was recorded before
$ kiln why two | head -n 2
step 1: copy src /dst
src/a changed
$ kiln why two 1 | grep -o '^files \|^destination .*\|^shape .*'
$ kiln copy -q $(kiln from --cached --name three base) src /dst; kiln why three | head -n 2
! cached
step 1: copy src /dst
it was taken from the cache
$ kiln why two 2
! Error: cannot find step 2 of the container `two`: it has 1 steps
! hint: see them with `kiln log two`
[125]
$ kiln why $(kiln from --cached base)
! Error: cannot explain the container `base-working-container`: there is no such step
! hint: see the steps with `kiln log base-working-container`
[125]
"#,
    );
}
