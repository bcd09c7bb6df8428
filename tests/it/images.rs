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

#[test]
fn lists_are_filtered() {
    let Some(env) = with_base("lists_are_filtered") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --label of=one --label more= one; kiln commit -q --timestamp 86400 one older >out; kiln tag older registry.example/team/app:v1
$ kiln config --env A=1 one; kiln commit -q one newer >out; kiln commit -q one newer >out2
$ names() { kiln images -n --format '{{.Name}}:{{.Tag}}' "$@" | sort | tr '\n' ' '; echo; }; names; names -f label=of=one; names -f label=of=base; names -f label=more,label=of; names -f label!=of
localhost/base:latest localhost/newer:latest localhost/older:latest registry.example/team/app:v1 
localhost/newer:latest localhost/older:latest registry.example/team/app:v1 
localhost/base:latest 
localhost/newer:latest localhost/older:latest registry.example/team/app:v1 

$ names() { kiln images -n --format '{{.Name}}:{{.Tag}}' "$@" | sort | tr '\n' ' '; echo; }; names -f since=older; names -f before=newer; names -f after=base -f reference=newer; names -f until=1970-01-03T00:00:00Z
localhost/base:latest localhost/newer:latest 
localhost/base:latest localhost/older:latest registry.example/team/app:v1 
localhost/newer:latest 
localhost/older:latest registry.example/team/app:v1 
$ names() { kiln images -n --format '{{.Name}}:{{.Tag}}' "$@" | sort | tr '\n' ' '; echo; }; names -f 'reference=*/team/*'; names -f reference=app; names -f 'reference!=app'; names -f containers=true; names -f containers=false -f reference=newer
localhost/older:latest registry.example/team/app:v1 
localhost/older:latest registry.example/team/app:v1 
localhost/base:latest localhost/newer:latest 
localhost/base:latest 
localhost/newer:latest 
$ names() { kiln images -n --format '{{.Name}}:{{.Tag}}' "$@" | sort | tr '\n' ' '; echo; }; names -f dangling=true; names -f dangling=false; names -f readonly=true; names -f intermediate=true; names -f id=$(cut -c1-12 out2); names -f digest=$(kiln images --format '{{.Digest}}' newer); names -f reference=older,reference=newer

localhost/base:latest localhost/newer:latest localhost/older:latest registry.example/team/app:v1 


localhost/newer:latest 
localhost/newer:latest 
localhost/newer:latest localhost/older:latest registry.example/team/app:v1 
$ kiln images -f foo=bar
! Error: cannot use the filter `foo=bar`: there is no key `foo`
! hint: the keys are after, before, containers, dangling, digest, id, intermediate, label, readonly, reference, since, until
[125]
$ kiln images -f foo
! Error: cannot use the filter `foo`: it is not KEY=VALUE or KEY!=VALUE
! hint: --filter dangling=true
[125]
$ kiln images -f dangling=maybe
! Error: cannot use the filter `dangling=maybe`: `maybe` is neither true nor false
! hint: --filter dangling=true
[125]
$ kiln images -f since=nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln images -f until=soon
! Error: cannot use the filter `until=soon`: it is neither a time nor a span of time
! hint: --filter until=24h, or until=<time>
[125]
$ kiln images --all base
! Error: cannot use `--all` and `base` together
! hint: see `kiln images --help`
[125]
$ kiln images --quiet --format '{{.ID}}'
! Error: cannot use `--quiet` and `--format` together
! hint: see `kiln images --help`
[125]
$ kiln images --history --digests --noheading older
localhost/older  latest  sha256:<id-1>  <short-2>  <age>  1.24 KB  registry.example/team/app:v1
$ kiln images --format 'table {{.Name}} {{.Tag}} {{.ReadOnly}}' older
REPOSITORY       TAG     READ ONLY
localhost/older  latest  false
$ kiln images --noheading --format 'table {{upper .Tag}}\t{{.Created}}' older
LATEST  86400
"#,
    );
}

#[test]
fn images_that_others_were_made_of_are_hidden() {
    let Some(env) = with_base("images_that_others_were_made_of_are_hidden") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base; echo 1 >file; kiln copy -q one file /file >out; kiln commit -q one >middle
one
$ kiln from --name two $(cat middle); kiln copy -q two file /file2 >out; kiln commit -q two top >out
two
$ kiln images --format '{{.Name}}'; echo; kiln images -a --format '{{.Name}}'; echo; kiln images -f intermediate=true --format '{{.Name}}'; kiln images -f dangling=true
localhost/top
localhost/base

localhost/top
<none>
localhost/base

<none>
REPOSITORY  TAG  IMAGE ID  CREATED  SIZE
"#,
    );
}
