//! Stories of `kiln containers`: the list of working containers in every form.

use crate::support::{tell, with_base};

#[test]
fn containers_are_listed() {
    let Some(env) = with_base("containers_are_listed") else { return };
    tell(
        &env,
        r#"
$ kiln containers
CONTAINER ID  BUILDER  IMAGE ID  IMAGE NAME  CONTAINER NAME
$ kiln containers --json
[]
$ kiln containers -q
$ kiln from --name one base
one
$ kiln from scratch
working-container
$ kiln containers
CONTAINER ID  BUILDER  IMAGE ID      IMAGE NAME             CONTAINER NAME
<short-1>     *     <short-2>  localhost/base:latest  one
<short-3>     *                   scratch                working-container
$ kiln list; kiln ls -q; kiln ps -n
CONTAINER ID  BUILDER  IMAGE ID      IMAGE NAME             CONTAINER NAME
<short-1>     *     <short-2>  localhost/base:latest  one
<short-3>     *                   scratch                working-container
<id-1>
<id-3>
<short-1>     *  <short-2>  localhost/base:latest  one
<short-3>     *                scratch                working-container
$ kiln containers --noheading --notruncate
<id-1>     *  <id-2>  localhost/base:latest  one
<id-3>     *                                                                    scratch                working-container
$ kiln containers --json
[
    {
        "id": "<id-1>",
        "builder": true,
        "imageid": "<id-2>",
        "imagename": "localhost/base:latest",
        "containername": "one"
    },
    {
        "id": "<id-3>",
        "builder": true,
        "imageid": "",
        "imagename": "scratch",
        "containername": "working-container"
    }
]
$ kiln containers --format '{{.ContainerID}} {{.Builder}} {{.ImageID}} {{.ImageName}} {{.ContainerName}}'
<id-1> * <id-2> localhost/base:latest one
<id-3> *  scratch working-container
$ kiln containers --format 'table {{.ContainerName}}\t{{.ImageName}}'
CONTAINER NAME     IMAGE NAME
one                localhost/base:latest
working-container  scratch
$ test "$(kiln containers --format json)" = "$(kiln containers --json)"
$ kiln containers --format '{{.Nosuch}}'
! Error: cannot fill in the format `{{.Nosuch}}`: map has no entry for key: Nosuch
! hint: see all fields with --format json
[125]
$ kiln containers --format '{{'
! Error: cannot use the format `{{`: template: format:1:3: unclosed action
! hint: a format is a Go template such as '{{.ID}} {{.Name}}', or json
[125]
$ kiln containers --nosuch
! Error: cannot understand `--nosuch`: `kiln containers` has no such flag
! hint: did you mean `--no-trunc`? see `kiln containers --help`
[125]
$ kiln containers extra
! Error: cannot understand `extra`: `kiln containers` takes no further word
! hint: see `kiln containers --help`
[125]
"#,
    );
}

#[test]
fn lists_are_filtered() {
    let Some(env) = with_base("lists_are_filtered") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base; kiln from --name only scratch; kiln tag base registry.example/team/base:v1; kiln from --name two registry.example/team/base:v1
one
only
two
$ names() { kiln containers --format '{{.ContainerName}}' "$@" | tr '\n' ' '; echo; }; names -a; names -f name=on; names -f name=on,ancestor=base; names -f ancestor=scratch; names -f ancestor=team/base:v1; names -f ancestor=$(kiln images -q base); names -f id=$(kiln containers -q -f name=only | cut -c1-10)
one only two 
one only 
one 
only 
two 
one two 
only 
$ kiln containers -f name
! Error: cannot use the filter `name`: it is none of id=BEGINNING, name=PART and ancestor=IMAGE
! hint: --filter name=working
[125]
$ kiln containers -f nosuch=x
! Error: cannot use the filter `nosuch=x`: it is none of id=BEGINNING, name=PART and ancestor=IMAGE
! hint: --filter name=working
[125]
$ kiln containers -f name=
! Error: cannot use the filter `name=`: it is none of id=BEGINNING, name=PART and ancestor=IMAGE
! hint: --filter name=working
[125]
$ kiln containers --format 'table {{.ContainerName}} {{.ImageName}}' -f name=two
CONTAINER NAME  IMAGE NAME
two             registry.example/team/base:v1
$ kiln containers --noheading --format 'table {{.ContainerName}}' -f name=two
two
"#,
    );
}
