//! Stories of `kiln images`: the list of images in every form.

use crate::support::{Env, tell, with_base};

/// The list in every form.
const LISTED: &str = r#"
$ kiln images
REPOSITORY      TAG     IMAGE ID      CREATED       SIZE
localhost/base  latest  <short-1>  <age>  211 B
$ kiln images --digests
REPOSITORY      TAG     DIGEST                                                                   IMAGE ID      CREATED       SIZE
localhost/base  latest  sha256:<id-2>  <short-1>  <age>  211 B
$ kiln images -n
localhost/base  latest  <short-1>  <age>  211 B
$ kiln images --noheading --no-trunc
localhost/base  latest  sha256:<id-1>  <age>  211 B
$ kiln images -q
<short-1>
$ kiln images -q --no-trunc
sha256:<id-1>
$ kiln tag base second:1 other.example.com/third
$ kiln images
REPOSITORY               TAG     IMAGE ID      CREATED       SIZE
localhost/base           latest  <short-1>  <age>  211 B
localhost/second         1       <short-1>  <age>  211 B
other.example.com/third  latest  <short-1>  <age>  211 B
$ kiln images -q
<short-1>
$ kiln images --json
[
    {
        "id": "<short-1>",
        "names": [
            "localhost/base:latest",
            "localhost/second:1",
            "other.example.com/third:latest"
        ],
        "digest": "sha256:<id-2>",
        "createdat": "<age>",
        "size": "211 B",
        "created": 981173106,
        "createdatraw": "<time>",
        "readonly": false,
        "history": null
    }
]
$ kiln images base
REPOSITORY      TAG     IMAGE ID      CREATED       SIZE
localhost/base  latest  <short-1>  <age>  211 B
$ kiln images second
REPOSITORY        TAG  IMAGE ID      CREATED       SIZE
localhost/second  1    <short-1>  <age>  211 B
$ kiln images second:1
REPOSITORY        TAG  IMAGE ID      CREATED       SIZE
localhost/second  1    <short-1>  <age>  211 B
$ kiln images third
REPOSITORY               TAG     IMAGE ID      CREATED       SIZE
other.example.com/third  latest  <short-1>  <age>  211 B
$ kiln images second:2
! Error: cannot list the image `second:2`: no image in the store has this name
! hint: see what there is with `kiln images`
[125]
$ kiln images nosuch
! Error: cannot list the image `nosuch`: no image in the store has this name
! hint: see what there is with `kiln images`
[125]
$ kiln images --format '{{.ID}} {{.Name}} {{.Tag}} {{.Digest}} {{.Size}}'
<short-1> localhost/base latest sha256:<id-2> 211 B
<short-1> localhost/second 1 sha256:<id-2> 211 B
<short-1> other.example.com/third latest sha256:<id-2> 211 B
$ kiln images --format 'table {{.Name}}\t{{.Tag}}'
REPOSITORY               TAG
localhost/base           latest
localhost/second         1
other.example.com/third  latest
$ kiln images --format '{{.Nosuch}}'
! Error: cannot fill in the format `{{.Nosuch}}`: map has no entry for key: Nosuch
! hint: see all fields with --format json
[125]
$ kiln images --format '{{'
! Error: cannot use the format `{{`: template: format:1:3: unclosed action
! hint: a format is a Go template such as '{{.ID}} {{.Name}}', or json
[125]
$ kiln images --nosuch
! Error: cannot understand `--nosuch`: `kiln images` has no such flag
! hint: did you mean `--no-trunc`? see `kiln images --help`
[125]
$ kiln images one two
! Error: cannot understand `two`: `kiln images` takes no further word
! hint: see `kiln images --help`
[125]
"#;

#[test]
fn images_are_listed() {
    let Some(env) = with_base("images_are_listed") else { return };
    tell(&env, LISTED);
}

#[test]
fn an_image_whose_name_moved_has_none() {
    let Some(env) = with_base("an_image_whose_name_moved_has_none") else { return };
    tell(
        &env,
        r#"
$ kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
$ kiln from --name one base
one
$ kiln commit -q --timestamp 1000000000 one base
<id-1>
$ kiln images --format '{{.Name}}:{{.Tag}} {{.ID}}'
localhost/base:latest <short-1>
$ kiln images -a --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
<none>:<none>
$ kiln containers --format '{{.ImageName}} {{.ImageID}}'
localhost/base:latest <id-2>
"#,
    );
}

#[test]
fn an_empty_store_has_none() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln images
REPOSITORY  TAG  IMAGE ID  CREATED  SIZE
$ kiln images --json
[]
$ kiln images -q
"#,
    );
}
