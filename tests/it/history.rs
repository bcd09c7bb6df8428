//! Stories of `kiln history`: what made each layer.

use crate::support::{tell, with_base};

#[test]
fn the_lines_are_shown_newest_first() {
    let Some(env) = with_base("the_lines_are_shown_newest_first") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base; echo 1 >file; kiln copy -q one file /file >out
one
$ kiln config --add-history --created-by 'a command that is so long that no table of a terminal shows all of it' --env A=b --history-comment why one
$ kiln commit -q --timestamp 0 one made >out
$ kiln history made | sed 's/[0-9]* years ago/years ago/; s/  *$//'
ID            CREATED       CREATED BY                                     SIZE     COMMENT
<short-1>  years ago  a command that is so long that no table of...  2.05 KB  why
<missing>     years ago  /bin/sh -c #(nop) ENV A=b                      0 B
<missing>     years ago  written by hand                                211 B
$ kiln history --human=false --no-trunc made | sed 's/  *$//'
ID                                                                CREATED               CREATED BY                                                             SIZE  COMMENT
<id-1>  <time>  a command that is so long that no table of a terminal shows all of it  2048  why
<missing>                                                         <time>  /bin/sh -c #(nop) ENV A=b                                              0
<missing>                                                         <time>  written by hand                                                        211
$ kiln history -q made
<short-1>
<missing>
<missing>
$ kiln history --format '{{.ID}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}|{{.Tags}}' made
<short-1>|<time>|a command that is so long that no table of...|2.05 KB|why|localhost/made:latest
<missing>|<time>|/bin/sh -c #(nop) ENV A=b|0 B||
<missing>|<time>|written by hand|211 B||
$ kiln history --format 'table {{.ID}} {{.Size}}' made
ID            SIZE
<short-1>  2.05 KB
<missing>     0 B
<missing>     211 B
$ kiln history --json made
[
    {
        "id": "<id-1>",
        "created": "<time>",
        "CreatedBy": "a command that is so long that no table of a terminal shows all of it",
        "size": 2048,
        "comment": "why",
        "tags": [
            "localhost/made:latest"
        ]
    },
    {
        "id": "<missing>",
        "created": "<time>",
        "CreatedBy": "/bin/sh -c #(nop) ENV A=b",
        "size": 0,
        "comment": "",
        "tags": []
    },
    {
        "id": "<missing>",
        "created": "<time>",
        "CreatedBy": "written by hand",
        "size": 211,
        "comment": "",
        "tags": []
    }
]
$ test "$(kiln history --json made)" = "$(kiln history --format json made)"
"#,
    );
}

#[test]
fn what_cannot_be_shown() {
    let Some(env) = with_base("what_cannot_be_shown") else { return };
    tell(
        &env,
        r#"
$ kiln history
! Error: cannot do `kiln history`: <IMAGE> is missing
! hint: it is used so: kiln history <IMAGE>
[125]
$ kiln history nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln history base more
! Error: cannot understand `more`: `kiln history` takes no further word
! hint: see `kiln history --help`
[125]
$ kiln history --human=perhaps base
! Error: cannot use `--human=perhaps`: it may be true or false
! hint: see `kiln history --help`
[125]
$ kiln history --format '{{.Nosuch}}' base
! Error: cannot fill in the format `{{.Nosuch}}`: map has no entry for key: Nosuch
! hint: see all fields with --format json
[125]
"#,
    );
}
