//! Stories of `kiln manifest`: lists of images for several platforms.

use crate::support::{tell, with_base};

#[test]
fn a_list_is_made_changed_and_pushed() {
    let Some(env) = with_base("a_list_is_made_changed_and_pushed") else { return };
    tell(
        &env,
        r#"
$ kiln manifest create list
<id-1>
$ kiln manifest exists list
$ kiln manifest add list base
<id-1>: sha256:<id-2>
$ c=$(kiln from base); kiln config --arch arm64 --variant v8 $c; kiln commit -q $c oci:arm:x; kiln rm $c >/dev/null
<id-3>
$ kiln manifest add --annotation for=arm list oci:arm:x
<id-1>: sha256:<id-4>
$ kiln manifest inspect list
{
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:<id-2>",
            "size": 401,
            "platform": {
                "architecture": "amd64",
                "os": "linux"
            }
        },
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:<id-4>",
            "size": 799,
            "annotations": {
                "for": "arm"
            },
            "platform": {
                "architecture": "arm64",
                "os": "linux",
                "variant": "v8"
            }
        }
    ]
}
$ kiln manifest annotate --os-version 12 --os-features a,b list $(kiln manifest inspect list | grep -o 'sha256:[0-9a-f]*' | tail -1) >/dev/null
$ kiln manifest annotate --index --annotation of=list list
<id-1>
$ kiln manifest inspect list | grep -e version -e '"a"' -e of
                    "a",
                "os.version": "12"
        "of": "list"
$ kiln images --format '{{.Name}} {{.ID}}'
<none> <short-3>
localhost/base <short-5>
localhost/list <short-1>
$ kiln manifest push -q --digestfile digest list oci:out:x; kiln image inspect --raw oci:out:x | sha256sum | cut -c1-64; cat digest; echo
<id-6>
sha256:<id-6>
$ kiln image copy -q --all oci:out:x dir:copied
$ kiln manifest push -q --all=false list dir:alone; ls alone
manifest.json
version
$ kiln push -q --all list oci:pushed:x; cat pushed/index.json | grep -c image.index
1
$ c=$(kiln from list); kiln rm $c | wc -l
1
$ kiln manifest remove list base
<id-1>: sha256:<id-2>
$ kiln manifest remove list base
! Error: cannot find `base` in the manifest list `localhost/list:latest`: no entry has its digest
! hint: see what there is with `kiln manifest inspect localhost/list:latest`
[125]
$ kiln manifest rm list
untagged: localhost/list:latest
<id-1>
$ kiln manifest exists list
[1]
$ kiln check
"#,
    );
}

#[test]
fn files_are_entries_too() {
    let Some(env) = with_base("files_are_entries_too") else { return };
    tell(
        &env,
        r#"
$ echo '{}' >bill.json; echo text >note.txt
$ kiln manifest create list base >/dev/null
$ kiln manifest add --artifact --artifact-type application/x.bill --artifact-annotation a=b --artifact-subject base list bill.json note.txt >/dev/null
$ kiln manifest push -q list dir:out; ls out | wc -l
9
$ cat out/*.manifest.json | grep -o '"artifactType":"[^"]*"'
"artifactType":"application/x.bill"
$ cat out/*.manifest.json | grep -o 'image.title":"[^"]*"'
image.title":"bill.json"
image.title":"note.txt"
$ kiln prune; kiln manifest push -q list dir:again; diff -r out again
! removed 0 trees and 2 blobs
"#,
    );
}

#[test]
fn what_cannot_be_done_with_lists() {
    let Some(env) = with_base("what_cannot_be_done_with_lists") else { return };
    tell(
        &env,
        r#"
$ kiln manifest
Make lists of images for several platforms, and push them

Usage: kiln manifest <COMMAND>

Commands:
  add       Put an image, or files, into a list, and print the list's id and the digest that was
            added
  annotate  Change what a list says of an image, or of itself
  create    Make a list, of images perhaps, and print its id
  exists    Tell by the exit code, 0 or 1, whether there is a list of this name
  inspect   Print a list as JSON
  push      Send a list, with the images in it
  remove    Take an image out of a list
  rm        Remove lists; the images in them stay

Options:
  -h, --help  Print help

`kiln --help` tells which flags all verbs take.
$ kiln manifest create list >/dev/null; kiln manifest create list
! Error: cannot make the manifest list `list`: a list has this name already
! hint: add to it with `kiln manifest create --amend list`, or take another name
[125]
$ kiln manifest create --amend list base >/dev/null; kiln manifest create --replace list >/dev/null; kiln manifest inspect list | grep -c digest
0
[1]
$ kiln manifest create base
! Error: cannot make the manifest list `base`: an image has this name
! hint: add to it with `kiln manifest create --amend base`, or take another name
[125]
$ kiln manifest create Upper
! Error: cannot use the image name `Upper`: an image name has no upper-case letters
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln manifest create new nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln manifest add nosuch base
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln manifest add base base
! Error: cannot find the manifest list `base`: it is an image, and no list of images
! hint: make a list with `kiln manifest create NAME`
[125]
$ kiln manifest add list nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln manifest add list base base
! Error: cannot add 2 images at once
! hint: add one after the other; --artifact takes several files
[125]
$ kiln manifest add --annotation x list base
! Error: cannot use the annotation `x`
! hint: write NAME=VALUE
[125]
$ kiln manifest add --artifact list nosuch.txt
! Error: cannot open `nosuch.txt`: No such file or directory (os error 2)
[125]
$ kiln manifest add --artifact list .
! Error: cannot add `.`: it is no regular file
! hint: name files, or a tar of the directory
[125]
"#,
    );
}

#[test]
fn what_cannot_be_changed_or_pushed() {
    let Some(env) = with_base("what_cannot_be_changed_or_pushed") else { return };
    tell(
        &env,
        r#"
$ kiln manifest create list >/dev/null
$ kiln manifest annotate list sha256:00
! Error: cannot use the digest `sha256:00`: a digest is `sha256:` and 64 lower-case hexadecimal digits
! hint: copy it from `kiln images --digests`, or from `kiln image inspect`
[125]
$ kiln manifest annotate list base
! Error: cannot find `base` in the manifest list `localhost/list:latest`: no entry has its digest
! hint: see what there is with `kiln manifest inspect localhost/list:latest`
[125]
$ kiln manifest annotate --index --arch arm64 list
! Error: cannot say which platform a whole list is for
! hint: leave out --index, and name an image of the list
[125]
$ kiln manifest remove list sha256:0000000000000000000000000000000000000000000000000000000000000000
! Error: cannot find `sha256:<id-1>` in the manifest list `localhost/list:latest`: no entry has its digest
! hint: see what there is with `kiln manifest inspect localhost/list:latest`
[125]
$ kiln manifest push --sign-by me list dir:x
! Error: cannot use --sign-by: Kiln does not do what it asks for
! hint: sign the list afterwards, with a tool that keeps the keys
[125]
$ kiln manifest push --format v2s1 list dir:x
! Error: cannot use `--format=v2s1`: Docker's schema 1 is written by no tool any more; write `oci` or `v2s2`
! hint: see `kiln manifest --help`
[125]
$ kiln manifest push list docker-archive:x.tar
! Error: cannot copy an index to `docker-archive:x.tar`: it takes single images only
! hint: copy the image for one platform, without --all
[125]
$ kiln manifest rm base
! Error: cannot find the manifest list `base`: it is an image, and no list of images
! hint: make a list with `kiln manifest create NAME`
[125]
$ ls
layout
"#,
    );
}
