//! Stories of `kiln version`: the version, and words that are no command.

use crate::support::{Env, tell};

#[test]
fn the_version_is_shown() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln version
Version:         0.1.0
Image Spec:      1.1.0
Runtime Spec:    1.2.0
OS/Arch:         linux/amd64
$ kiln version --json
{
    "version": "0.1.0",
    "imageSpec": "1.1.0",
    "runtimeSpec": "1.2.0",
    "osArch": "linux/amd64"
}
$ kiln --version
kiln version 0.1.0 (image-spec 1.1.0, runtime-spec 1.2.0)
$ ln -s "$KILN" buildah; ./buildah --version; ./buildah version | head -n 1
buildah version 1.45.0 (image-spec 1.1.0, runtime-spec 1.2.0)
Version:         1.45.0
$ kiln version extra
! Error: cannot understand `extra`: `kiln version` takes no further word
! hint: see `kiln version --help`
[125]
"#,
    );
}

#[test]
fn words_that_are_no_command() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln | sed -n '1,5p; /^  tag/p; /--root/p'
Builds container images step by step: working containers, no daemon, no root needed

Usage: kiln [OPTIONS] <COMMAND>

Commands:
  tag         Give an image more names
      --root <DIR>                The store's directory (default /var/lib/kiln; as an ordinary user
$ test "$(kiln)" = "$(kiln -h)"
$ kiln help rename
Give a working container another name

Usage: kiln rename <CONTAINER> <NAME>

Arguments:
  <CONTAINER>  The container, by name or id
  <NAME>       Its new name

Options:
  -h, --help  Print help

`kiln --help` tells which flags all verbs take.
$ kiln nosuch
! Error: cannot understand `nosuch`: `kiln` has no such verb
! hint: see `kiln --help`
[125]
$ kiln --nosuch
! Error: cannot understand `--nosuch`: `kiln` has no such flag
! hint: see `kiln --help`
[125]
$ kiln froom scratch
! Error: cannot understand `froom`: `kiln` has no such verb
! hint: did you mean `from`? see `kiln --help`
[125]
"#,
    );
}
