//! Stories of `kiln tag`: names are given and moved.

use crate::support::{tell, with_base};

#[test]
fn images_get_more_names() {
    let Some(env) = with_base("images_get_more_names") else { return };
    tell(
        &env,
        r#"
$ kiln tag base second
$ kiln tag localhost/base:latest third:3 example.com/a/b:c
$ kiln images --format '{{.Name}}:{{.Tag}} {{.ID}}'
localhost/base:latest <short-1>
localhost/second:latest <short-1>
example.com/a/b:c <short-1>
localhost/third:3 <short-1>
$ kiln tag "$(kiln images -q | head -n 1)" by-id
$ kiln tag base base
$ kiln from --name one base
one
$ kiln commit -q --timestamp 0 one other
<id-2>
$ kiln tag other second
$ kiln images --format '{{.Name}}:{{.Tag}} {{.ID}}'
example.com/a/b:c <short-1>
localhost/third:3 <short-1>
localhost/by-id:latest <short-1>
localhost/base:latest <short-1>
localhost/other:latest <short-2>
localhost/second:latest <short-2>
"#,
    );
}

#[test]
fn what_is_no_name() {
    let Some(env) = with_base("what_is_no_name") else { return };
    tell(
        &env,
        r#"
$ kiln tag
! Error: cannot do `kiln tag`: <IMAGE> and <NAMES>... are missing
! hint: it is used so: kiln tag <IMAGE> <NAMES>...
[125]
$ kiln tag base
! Error: cannot do `kiln tag`: <NAMES>... is missing
! hint: it is used so: kiln tag <IMAGE> <NAMES>...
[125]
$ kiln tag nosuch x
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln tag base Upper
! Error: cannot use the image name `Upper`: an image name has no upper-case letters
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln tag base good Upper
! Error: cannot use the image name `Upper`: an image name has no upper-case letters
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln tag base a:b:c
! Error: cannot use the image name `a:b:c`: a tag has up to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln tag base 'sp ace'
! Error: cannot use the image name `sp ace`: a part of a name has lower-case letters and digits, with `.`, `_`, `__` or `-` between them
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln tag base x@sha256:0000000000000000000000000000000000000000000000000000000000000000
! Error: cannot tag an image `localhost/x@sha256:<id-1>`: a digest is not given, it follows from the content
[125]
$ kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
"#,
    );
}
