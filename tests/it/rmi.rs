//! Stories of `kiln rmi`: names and images go, and what is in use stays.

use crate::support::{tell, with_base};

#[test]
fn images_are_removed() {
    let Some(env) = with_base("images_are_removed") else { return };
    tell(
        &env,
        r#"
$ kiln tag base second third
$ kiln rmi second
untagged: localhost/second:latest
$ kiln rmi "$(kiln images -q | head -n 1)"
! Error: cannot remove the image `<short-1>`: it has several names: localhost/base:latest, localhost/third:latest
! hint: remove all of them with `kiln rmi --force <short-1>`
[125]
$ kiln rmi third
untagged: localhost/third:latest
$ kiln rmi base
untagged: localhost/base:latest
<id-1>
$ kiln images
REPOSITORY  TAG  IMAGE ID  CREATED  SIZE
$ kiln pull -q oci:layout:localhost/base
<id-1>
$ kiln rmi "$(kiln images -q)"
untagged: localhost/base:latest
<id-1>
$ kiln pull -q oci:layout:localhost/base; kiln tag base second
<id-1>
$ kiln rmi -f "$(kiln images -q | head -n 1)"
untagged: localhost/base:latest
untagged: localhost/second:latest
<id-1>
$ kiln images -q
$ ls -A "$KILN_ROOT/images/blobs/sha256" "$KILN_ROOT/layers"
<dir>/store/images/blobs/sha256:

<dir>/store/layers:
"#,
    );
}

#[test]
fn an_image_in_use_is_kept() {
    let Some(env) = with_base("an_image_in_use_is_kept") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln from --name two base
two
$ kiln rmi base
! Error: cannot remove the image `base`: containers were made of it: one, two
! hint: remove them first: kiln rm one two
[125]
$ kiln rmi -a
! Error: cannot remove the image `<id-1>`: containers were made of it
! hint: remove these too with `kiln rmi --all --force`
[125]
$ kiln containers --format '{{.ContainerName}}'
one
two
$ kiln rmi --force base
untagged: localhost/base:latest
<id-1>
$ kiln containers --format '{{.ContainerName}}'
$ kiln images -q
$ kiln pull -q oci:layout:localhost/base; kiln from base
<id-1>
base-working-container
$ kiln rmi -a -f
untagged: localhost/base:latest
<id-1>
$ kiln containers -q
$ kiln rmi --all
"#,
    );
}

#[test]
fn images_without_a_name_are_pruned() {
    let Some(env) = with_base("images_without_a_name_are_pruned") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one scratch
one
$ kiln commit -q --timestamp 0 one made >/dev/null
$ kiln commit -q --timestamp 1 one made
<id-1>
$ kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
localhost/made:latest
<none>:<none>
$ kiln rmi --prune
<id-2>
$ kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
localhost/made:latest
$ kiln rmi -p
"#,
    );
}

#[test]
fn what_cannot_be_removed() {
    let Some(env) = with_base("what_cannot_be_removed") else { return };
    tell(
        &env,
        r#"
$ kiln rmi
! Error: cannot remove images: none is named
! hint: name one, by name or id, or use --all
[125]
$ kiln rmi nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln rmi nosuch base also-not
untagged: localhost/base:latest
<id-1>
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
! Error: cannot find the image `also-not`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln images -q
$ kiln rmi -a base
! Error: cannot remove `base` and all images
! hint: name some, or use --all alone
[125]
$ kiln rmi -p base
! Error: cannot remove `base` and all images
! hint: name some, or use --all alone
[125]
$ kiln rmi 'Up per'
! Error: cannot find the image `Up per`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
"#,
    );
}
