//! Stories of `kiln pull`: images come in, or are refused.

use crate::support::{tell, with_base};

#[test]
fn images_come_from_a_layout() {
    let Some(env) = with_base("images_come_from_a_layout") else { return };
    tell(
        &env,
        r#"
$ kiln rmi base >/dev/null
$ kiln pull oci:layout:localhost/base
<id-1>
! Copying config <short-1>
! Copying blob <short-2>
$ kiln pull -q oci:layout:localhost/base
<id-1>
$ kiln pull -q oci:layout
<id-1>
$ kiln pull -q base
<id-1>
$ kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
localhost/layout:latest
$ cat "$(kiln mount "$(kiln from base)")/etc/hello.conf"
hello
"#,
    );
}

#[test]
fn an_image_in_two_forms_is_one_image_and_each_name_keeps_its_form() {
    let Some(env) = with_base("an_image_in_two_forms_is_one_image_and_each_name_keeps_its_form") else {
        return;
    };
    tell(
        &env,
        r#"
$ kiln rmi base >/dev/null
$ kiln pull -q oci:layout:localhost/base
<id-1>
$ kiln image copy -q --format v2s2 oci:layout:localhost/base dir:docker
$ kiln pull -q dir:docker
<id-1>
$ kiln push -q base dir:first; kiln push -q localhost/docker dir:second
$ for form in first second; do sed 's/,"config".*//' $form/manifest.json; echo; done
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"
{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json"
$ kiln images --format '{{.Digest}}' localhost/base >digest
$ test $(cat digest) = $(kiln image inspect --format '{{.Digest}}' oci:layout:localhost/base)
$ kiln images --format '{{.Digest}}' localhost/docker | grep -c -f digest
0
[1]
$ kiln tag base further; kiln rmi base
untagged: localhost/base:latest
$ kiln images --format '{{.Name}}' further
localhost/further
$ kiln inspect --type image --format '{{.FromImageDigest}}' localhost/docker@$(cat digest) | grep -c -f digest
1
$ kiln inspect --type image --format '{{.FromImageDigest}}' further | grep -c -f digest
1
$ kiln from docker@$(cat digest)
docker-working-container
$ kiln check
$ kiln rm docker-working-container >/dev/null; kiln rmi -f docker; kiln images -q
untagged: localhost/docker:latest
<short-1>
"#,
    );
}

#[test]
fn what_cannot_be_pulled() {
    let Some(env) = with_base("what_cannot_be_pulled") else { return };
    tell(
        &env,
        r#"
$ kiln pull
! Error: cannot do `kiln pull`: <IMAGE> is missing
! hint: it is used so: kiln pull <IMAGE>
[125]
$ kiln pull nosuch
! Error: cannot resolve the short name `nosuch`: there is no alias for it, and no registry to search in
! hint: write the whole name, HOST/nosuch, or set unqualified-search-registries in registries.conf
[125]
$ kiln pull oci:nowhere:x
! Error: cannot open the OCI layout `nowhere`: No such file or directory (os error 2)
! hint: see what there is: ls .
[125]
$ kiln pull oci:layout:other
! Error: cannot find the image `other` in `layout`: it has one image: localhost/base
! hint: name one of them: oci:layout:localhost/base
[125]
$ kiln pull --retry 0 docker://localhost:1/x
! Error: cannot talk to `localhost:1`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost:1`
[125]
$ kiln pull nosuch:tag:x
! Error: cannot use the image name `nosuch:tag:x`: a tag has up to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ mkdir empty; kiln pull oci:empty
! Error: cannot open the OCI layout `empty`: No such file or directory (os error 2)
! hint: name one that has the files oci-layout and index.json
[125]
$ mkdir odd; echo '{}' >odd/oci-layout; kiln pull oci:odd
! Error: cannot open the OCI layout `odd`: oci-layout names no version
! hint: name one that has the files oci-layout and index.json
[125]
$ mkdir none; echo '{"imageLayoutVersion": "1.0.0"}' >none/oci-layout; echo '{"schemaVersion": 2, "manifests": []}' >none/index.json; kiln pull oci:none
! Error: cannot choose an image in `none`: it has 0 images
! hint: name one of them: oci:none:NAME
[125]
$ cp -r layout newer; echo '{"imageLayoutVersion": "9.0.0"}' >newer/oci-layout; kiln pull oci:newer
! Error: cannot open the OCI layout `newer`: its layout version is 9.0.0
! hint: name one that has the files oci-layout and index.json
[125]
$ cp -r layout broken; echo '{' >broken/index.json; kiln pull oci:broken
! Error: cannot read the image index: EOF while parsing an object at line 2 column 0
! hint: fetch it again, or from elsewhere; if that is no better, it has to be made anew
[125]
$ cp -r layout bare; rm bare/blobs/sha256/*; kiln pull oci:bare
! Error: cannot read the blob `sha256:<id-1>`: No such file or directory (os error 2)
[125]
$ kiln pull oci:layout oci:layout
! Error: cannot understand `oci:layout`: `kiln pull` takes no further word
! hint: see `kiln pull --help`
[125]
$ kiln pull --nosuch oci:layout
! Error: cannot understand `--nosuch`: `kiln pull` has no such flag
! hint: did you mean `--os`? see `kiln pull --help`
[125]
$ kiln images -q
<short-2>
$ kiln check
"#,
    );
}

#[test]
fn an_image_for_another_platform_is_told_of() {
    let Some(env) = with_base("an_image_for_another_platform_is_told_of") else { return };
    tell(
        &env,
        r#"
$ kiln pull -q --platform linux/s390x oci:layout
<id-1>
! warning: the image `localhost/layout:latest` is for linux/amd64, and not for linux/s390x
$ kiln pull -q --arch arm64 oci:layout:localhost/base
<id-1>
! warning: the image `localhost/base:latest` is for linux/amd64, and not for linux/arm64
$ kiln --progress json pull -q --arch arm64 oci:layout:localhost/base
<id-1>
! {"event":"warning","message":"the image `localhost/base:latest` is for linux/amd64, and not for linux/arm64","hint":null}
$ kiln --progress json pull oci:layout:other
! {"event":"error","message":"cannot find the image `other` in `layout`: it has one image: localhost/base","hint":"name one of them: oci:layout:localhost/base"}
[125]
$ kiln pull -q --arch amd64 oci:layout
<id-1>
$ kiln from --os windows oci:layout
layout-working-container
! warning: the image `localhost/layout:latest` is for linux/amd64, and not for windows/amd64
"#,
    );
}
