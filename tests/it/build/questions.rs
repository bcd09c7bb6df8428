//! Stories of `--check` and `--call`: what is asked of a file in place of building it.

use super::with_busybox;
use crate::support::tell;

const FILE: &str = "# syntax=docker/dockerfile:1
# VERSION of the program
ARG VERSION=1

# build is where it is made
FROM localhost/base AS build
ARG VERSION
ARG OTHER
RUN --mount=type=secret,id=token,required --mount=type=cache,target=/c --mount=type=ssh make
FROM build AS tests
ARG unused
CMD test $OTHER
FROM build
COPY $OHTER /x
";

#[test]
fn what_a_file_has_is_told_without_a_build() {
    let Some(env) = with_busybox("what_a_file_has_is_told_without_a_build") else { return };
    env.write("c/Dockerfile", FILE);
    tell(
        &env,
        r#"
$ kiln build --call targets c
TARGET       BASE            DESCRIPTION
build        localhost/base  is where it is made
tests        build           
2 (default)  build           
$ kiln build --call outline --build-arg OTHER=given c
TARGET: (default)

BUILD ARG  VALUE  DESCRIPTION
VERSION    1      of the program
OTHER      given  

SECRET  REQUIRED
token   true

SSH      REQUIRED
default  

CACHE
/c
$ kiln build --call targets,format=json c | tr -d ' \n'; echo
{"targets":[{"name":"build","description":"iswhereitismade","base":"localhost/base","location":{"ranges":[{"start":{"line":6},"end":{"line":6}}]}},{"name":"tests","base":"build","location":{"ranges":[{"start":{"line":10},"end":{"line":10}}]}},{"default":true,"base":"build","location":{"ranges":[{"start":{"line":13},"end":{"line":13}}]}}]}
$ kiln build --call=outline,format=json --target tests c | tr -d ' \n'; echo
{"name":"tests","args":[{"name":"VERSION","description":"oftheprogram","value":"1","location":{"ranges":[{"start":{"line":3},"end":{"line":3}}]}},{"name":"OTHER","location":{"ranges":[{"start":{"line":8},"end":{"line":8}}]}},{"name":"unused","location":{"ranges":[{"start":{"line":11},"end":{"line":11}}]}}],"secrets":[{"name":"token","required":true,"location":{"ranges":[{"start":{"line":9},"end":{"line":9}}]}}],"ssh":[{"name":"default","location":{"ranges":[{"start":{"line":9},"end":{"line":9}}]}}],"cache":[{"ID":"/c","location":{"ranges":[{"start":{"line":9},"end":{"line":9}}]}}]}
$ kiln build --call nothing c
! Error: cannot use `--call=nothing`: `nothing` is none of build, check, outline, targets
! hint: see `kiln build --help`
[125]
$ kiln build --call check,format=yaml c
! Error: cannot use `--call=check,format=yaml`: the format is text or json, and not `yaml`
! hint: see `kiln build --help`
[125]
"#,
    );
}

#[test]
fn checks_are_answered_and_count_where_the_file_or_the_user_says() {
    let Some(env) = with_busybox("checks_are_answered_and_count_where_the_file_or_the_user_says") else {
        return;
    };
    env.write("c/Dockerfile", FILE);
    env.write("c/right", "# check=error=true\nFROM localhost/base\nCOPY Dockerfile $HOME/\n");
    env.write("c/asks", "# check=experimental=CopyIgnoredFile\nFROM scratch\nCOPY left-out .\n");
    env.write("c/.dockerignore", "left-out\n");
    tell(
        &env,
        r#"
$ kiln build --check c
Check complete, 2 warnings found.
! warning: JSONArgsRecommended: JSON arguments recommended for CMD: a shell in between keeps signals from arriving
!   --> Dockerfile:12
!    12 | CMD test $OTHER
! hint: write it as CMD ["program", "argument"]; or name the shell with SHELL, if it is meant
! warning: UndefinedVar: `$OHTER` is used and nothing declares it
!   --> Dockerfile:14
!    14 | COPY $OHTER /x
!       |       ^^^^^
! hint: did you mean `$OTHER`?
! note: syntax=docker/dockerfile:1 names another front end, which is not run: this one knows the language
[1]
$ kiln build --call check,format=json --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=UndefinedVar c | tr -d ' \n'; echo
{"warnings":[{"ruleName":"JSONArgsRecommended","description":"CMDandENTRYPOINTareJSONarrays,sothatsignalsarrive","detail":"JSONargumentsrecommendedforCMD:ashellinbetweenkeepssignalsfromarriving","location":{"ranges":[{"start":{"line":12},"end":{"line":12}}]}}],"sources":[{"filename":"Dockerfile","language":"Dockerfile"}]}
$ kiln build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all -f Dockerfile c
Check complete, no warnings found.
! note: syntax=docker/dockerfile:1 names another front end, which is not run: this one knows the language
$ kiln build --build-arg 'BUILDKIT_DOCKERFILE_CHECK=skip=UndefinedVar;error=true' c 2>&1 | tail -n 2
Error: cannot build with warnings: there are 1, and `check` says error=true
hint: mend what they are about, or skip them: # check=skip=NAMES
$ kiln build --build-arg BUILDKIT_DOCKERFILE_CHECK=sikp=all c
! Error: cannot use what is said of checks: `sikp=all` is neither `skip=NAMES` nor `error=true`
! hint: # check=skip=JSONArgsRecommended;error=true
[125]
$ kiln build -q -f right c >id; kiln build --call build -q -f right c | cmp - id
$ kiln build --check --platform linux/s390x -f right c
Check complete, 1 warning found.
! warning: InvalidBaseImagePlatform: the base image `localhost/base` is for linux/amd64, and linux/s390x is wanted here
!   --> right:2
!    2 | FROM localhost/base
!      |      ^^^^^^^^^^^^^^
[1]
$ kiln push -q localhost/base oci:there; kiln from -q --platform linux/s390x oci:there
there-working-container
! warning: the image `localhost/there:latest` is for linux/amd64, and not for linux/s390x
$ kiln build --check -f asks c
Check complete, 1 warning found.
! warning: CopyIgnoredFile: attempting to COPY the file `left-out`, which the ignore file leaves out
!   --> asks:3
!    3 | COPY left-out .
!      |      ^^^^^^^^
[1]
"#,
    );
}
