//! Stories of `kiln log`: the steps of a container.

use crate::support::{tell, with_base};

#[test]
fn only_cached_containers_have_a_log() {
    let Some(env) = with_base("log::only_cached_containers_have_a_log") else { return };
    tell(
        &env,
        r#"
$ kiln from --name plain base
plain
$ kiln log plain
! Error: cannot show the steps of the container `plain`: it keeps no steps
! hint: make it with `kiln from --cached IMAGE`, or with KILN_CACHED=1 set
[125]
$ kiln log nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln from --cached --name c base
c
$ kiln log c
STEP  CREATED  SIZE  HOW  WHAT
$ echo x >$(kiln mount c)/x; kiln config --label a=b c 2>/dev/null; kiln log c | grep -o 'ran .*' | sed 's/ran [0-9. a-z]* s  /ran S  /'
ran S  changed by hand
ran S  config label a=b
$ kiln log --format '{{.Number}} {{.Kind}} {{.Cached}} {{.Size}}' c
1 hand false 2 B
2 config false 0 B
"#,
    );
}
