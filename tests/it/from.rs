//! Stories of `kiln from`: how working containers are made and named.

use crate::support::{tell, with_base};

#[test]
fn names_follow_from_the_image() {
    let Some(env) = with_base("names_follow_from_the_image") else { return };
    tell(
        &env,
        r#"
$ kiln from scratch
working-container
$ kiln from scratch
working-container-1
$ kiln from scratch
working-container-2
$ kiln from localhost/base
base-working-container
$ kiln from base
base-working-container-1
$ kiln from base:latest
base-working-container-2
$ kiln rm base-working-container-1 >/dev/null
$ kiln from base
base-working-container-1
$ kiln from --name mine base
mine
$ kiln from "$(kiln images -q)"
base-working-container-3
$ kiln from "$(kiln images -q --no-trunc)"
base-working-container-4
$ kiln from -q oci:layout:localhost/base
base-working-container-5
$ kiln tag base registry.example.com:5000/team/tool:1.2
$ kiln from registry.example.com:5000/team/tool:1.2
tool-working-container
$ kiln from tool:1.2
tool-working-container-1
$ kiln containers --format '{{.ContainerName}} {{.ImageName}}'
working-container scratch
working-container-1 scratch
working-container-2 scratch
base-working-container localhost/base:latest
base-working-container-2 localhost/base:latest
base-working-container-1 localhost/base:latest
mine localhost/base:latest
base-working-container-3 localhost/base:latest
base-working-container-4 localhost/base:latest
base-working-container-5 localhost/base:latest
tool-working-container registry.example.com:5000/team/tool:1.2
tool-working-container-1 registry.example.com:5000/team/tool:1.2
"#,
    );
}

#[test]
fn the_id_goes_to_a_file() {
    let Some(env) = with_base("the_id_goes_to_a_file") else { return };
    tell(
        &env,
        r#"
$ kiln from --cidfile cid --name one base
one
$ cat cid; echo
<id-1>
$ kiln containers --notruncate --format '{{.ContainerID}}'
<id-1>
$ kiln from --cidfile no/such/dir scratch
! Error: cannot write `no/such/dir`: No such file or directory (os error 2)
[125]
"#,
    );
}

/// Images that are not there, and words that make no sense.
const REFUSED: &str = r#"
$ kiln from
! Error: cannot do `kiln from`: <IMAGE> is missing
! hint: it is used so: kiln from <IMAGE>
[125]
$ kiln from nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln from localhost/base:other
! Error: cannot find the image `localhost/base:other`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln from a2b3c4d5e6f7
! Error: cannot find the image `<short-1>`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln from Upper/Case
! Error: cannot find the image `Upper/Case`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln from ''
! Error: cannot find the image ``: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln from base base
! Error: cannot understand `base`: `kiln from` takes no further word
! hint: see `kiln from --help`
[125]
$ kiln from --nosuch base
! Error: cannot understand `--nosuch`: `kiln from` has no such flag
! hint: see `kiln from --help`
[125]
$ kiln from --format zip base
! Error: cannot use `--format=zip`: a format is `oci` or `docker`
! hint: see `kiln from --help`
[125]
$ kiln from docker://example.com/base
! Error: cannot use `docker://example.com/base:latest`: it is in no place outside the store
! hint: name a location such as oci:DIRECTORY:NAME
[125]
$ kiln from oci:
! Error: cannot use `oci:`: it names no directory
! hint: write oci:DIRECTORY:NAME
[125]
$ kiln from oci:nowhere
! Error: cannot open the OCI layout `nowhere`: No such file or directory (os error 2)
[125]
$ kiln from oci:layout:other
! Error: cannot find the image `other` in `layout`: it has one image: localhost/base
! hint: name one of them: oci:layout:localhost/base
[125]
$ kiln from oci:layout:bad^name
! Error: cannot use `oci:layout:bad^name`: the name has a character that OCI layouts do not allow
! hint: write oci:DIRECTORY:NAME
[125]
$ kiln from --name taken base
taken
$ kiln from --name taken base
! Error: cannot name a container `taken`: another container has that name
! hint: remove that one with `kiln rm taken`, or choose another name
[125]
$ kiln from --name '' base
! Error: cannot name a container ``: a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit
[125]
$ kiln from --name a/b base
! Error: cannot name a container `a/b`: a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit
[125]
$ kiln containers --format '{{.ContainerName}}'
taken
"#;

#[test]
fn what_cannot_be_started_from() {
    let Some(env) = with_base("what_cannot_be_started_from") else { return };
    tell(&env, REFUSED);
}
