//! Stories of `kiln man`: the manual, made of the same text as the help.

use crate::support::{Env, tell};

#[test]
fn every_verb_has_a_page() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln man pages; ls pages/kiln.1 pages/kiln-config.1
pages/kiln-config.1
pages/kiln.1
$ for verb in $(kiln --help | sed -n 's/^  \([a-z]\{2,\}\)  .*/\1/p'); do test -e pages/kiln-$verb.1 || echo "no page for $verb"; done
$ grep -c 'healthcheck' pages/kiln-config.1 >out; test "$(cat out)" -gt 4
$ grep -l storage.driver pages/*
[1]
$ kiln man /proc/nosuch
! Error: cannot write the manual to `/proc/nosuch`: No such file or directory (os error 2)
! hint: name a directory you may write to
[125]
$ kiln man
! Error: cannot do `kiln man`: <DIR> is missing
! hint: it is used so: kiln man <DIR>
[125]
"#,
    );
}
