//! Stories of `kiln dockerfile`: what the parser saw, what words expand to, and how mistakes are told.

use crate::support::{Env, tell};

#[test]
fn a_file_is_dumped() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ printf '%s\n' '# syntax=a/b' 'FROM --platform=linux/arm64 a AS b' 'ENV x=1 y="2 3"' 'ONBUILD RUN make' \
> 'RUN <<E' 'echo' E 'CMD ["a", "b"]' > Dockerfile; kiln dockerfile dump Dockerfile
(from ["--platform=linux/arm64"] "a" "AS" "b")
(env "x" "1" "=" "y" "\"2 3\"" "=")
(onbuild (run "make"))
(run "<<E")
(cmd "a" "b")
$ printf 'FROM a\nHEALTHCHECK NONE\nRUN --mount=type=ssh <<E\nx\nE\n' | kiln dockerfile dump --format json -
{
    "directives": {
        "escape": "\\"
    },
    "instructions": [
        {
            "span": {
                "first": 1,
                "last": 1
            },
            "instruction": "FROM",
            "image": "a"
        },
        {
            "span": {
                "first": 2,
                "last": 2
            },
            "instruction": "HEALTHCHECK",
            "command": null,
            "interval": 0,
            "timeout": 0,
            "start_period": 0,
            "start_interval": 0,
            "retries": 0
        },
        {
            "span": {
                "first": 3,
                "last": 5
            },
            "instruction": "RUN",
            "command": {
                "shell": "<<E"
            },
            "heredocs": [
                {
                    "name": "E",
                    "content": "x\n",
                    "expand": true,
                    "strip_tabs": false
                }
            ],
            "mounts": [
                {
                    "text": "type=ssh",
                    "options": [
                        {
                            "name": "type",
                            "value": "ssh"
                        }
                    ]
                }
            ]
        }
    ]
}
"#,
    );
}

#[test]
fn mistakes_are_told_all_at_once() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ printf 'FROM a\nRNU x\nCOPY --form=a \\\n  b c\nENV x\n' > Dockerfile
$ kiln dockerfile dump --format json Dockerfile > seen
! error: there is no instruction `RNU`
!   --> Dockerfile:2
!    2 | RNU x
!      | ^^^
! hint: did you mean `RUN`?
! error: there is no flag `--form` here
!   --> Dockerfile:3
!    3 | COPY --form=a \
!      |      ^^^^^^
! hint: did you mean `--from`?
! error: `ENV x` has no value
!   --> Dockerfile:5
!    5 | ENV x
!      |     ^
! expected: `NAME=value`
! Error: cannot parse `Dockerfile`: 3 errors
[125]
$ printf 'FROM a\nRUN \000' | kiln dockerfile dump -
! error: the file has a NUL byte, so it is no text
!   --> -:2
! expected: text in UTF-8
! Error: cannot parse `-`: 1 error
[125]
$ kiln dockerfile dump nosuch
! Error: cannot read `nosuch`: No such file or directory (os error 2)
[125]
$ printf 'FROM a\nRUN b \\\n\n  c\n' | kiln dockerfile dump -
(from "a")
(run "b   c")
! warning: NoEmptyContinuation: a blank line stands inside a continued instruction
!   --> -:3
!    3 |
! hint: remove it, or end the line before without the escape
"#,
    );
}

#[test]
fn words_are_expanded() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ printf '%s\n' 'a  $x' '${p##*/}' '${y:-"d e"}' '${y:?give it}' "it's" '' | kiln dockerfile lex --env x=1 --env p=a/b
ok	a  1
ok	b
ok	d e
error	y: give it
error	a single quote is not closed
ok	
$ printf '%s\n' '$x "$x" d\ e' | kiln dockerfile lex --words --env 'x=a b'
ok	a,b,a b,d e
$ printf '%s\n' '`$x C:\d' | kiln dockerfile lex --escape '`' --env x
ok	$x C:\d
$ kiln dockerfile lex --escape x < /dev/null
! Error: cannot use `--escape=x`: it may be \ or `
! hint: see `kiln dockerfile --help`
[125]
"#,
    );
}
