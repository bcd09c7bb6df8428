//! Stories of `kiln source`: source images are made, and go to a registry and back.

use crate::support::registry::{Setup, with_registry};
use crate::support::{Env, Need, needs, tell, tell_as_buildah, with_base};

#[test]
fn artifacts_become_layers() {
    let env = Env::new();
    tell_as_buildah(
        &env,
        r#"
$ mkdir -p tree/a; echo one >tree/a/one; tar czf two.tgz -C tree a; tar cf three.tar -C tree a; echo gzip? >plain.gz
$ buildah source create --author me src
$ buildah source add --annotation from=here --annotation of=tree src tree; buildah source add src two.tgz
$ buildah source add src three.tar; buildah source add src plain.gz
$ ls src/blobs/sha256 | wc -l
6
$ manifest=$(grep -l '"layers"' src/blobs/sha256/*); echo "manifest=$manifest" >names; grep -o '"mediaType":"[^"]*"' $manifest | cut -d'"' -f4
application/vnd.oci.image.manifest.v1+json
application/vnd.oci.source.image.config.v1+json
application/vnd.oci.image.layer.v1.tar+gzip
application/vnd.oci.image.layer.v1.tar+gzip
application/vnd.oci.image.layer.v1.tar+gzip
application/vnd.oci.image.layer.v1.tar+gzip
$ . ./names; grep -o '"annotations":{[^}]*}' $manifest; grep -ho '"author":"[^"]*"' src/blobs/sha256/*
"annotations":{"from":"here","of":"tree"}
"author":"me"
$ . ./names; grep -o '"digest":"sha256:[^"]*"' $manifest | sed '1d; s,.*:,src/blobs/sha256/,; s,",,' >layers; cmp two.tgz $(sed -n 2p layers)
$ for layer in $(cat layers); do tar tzf $layer; done
a/
a/one
a/
a/one
a/
a/one
plain.gz
$ buildah source create --time-stamp=false dateless; cat dateless/blobs/sha256/* | grep -c '"created"'
0
[1]
"#,
    );
}

#[test]
fn what_is_no_source_image_is_refused() {
    let Some(env) = with_base("what_is_no_source_image_is_refused") else { return };
    tell(
        &env,
        r#"
$ kiln source create src; kiln source create src
! Error: cannot make a source image in `src`: it exists already
! hint: name a new directory
[125]
$ kiln source add src nosuch
! Error: cannot open `nosuch`: No such file or directory (os error 2)
[125]
$ kiln source add nosuch src
! Error: cannot open the source image `nosuch`: No such file or directory (os error 2)
[125]
$ mkfifo pipe; kiln source add src pipe
! Error: cannot add `pipe`: it is neither a regular file nor a directory
! hint: name a file, a tar or a directory
[125]
$ kiln push -q base oci:image; kiln source add image src
! Error: cannot take `oci:image` for a source image: its config is of the type application/vnd.oci.image.config.v1+json
! hint: make one with `kiln source create DIRECTORY`
[125]
$ kiln source add --annotation novalue src src
! Error: cannot use the annotation `novalue`
! hint: write NAME=VALUE
[125]
$ kiln source push image localhost:1/x
! Error: cannot take `oci:image` for a source image: its config is of the type application/vnd.oci.image.config.v1+json
! hint: make one with `kiln source create DIRECTORY`
[125]
$ kiln source create --time-stamp=perhaps other; ls other
! Error: cannot use `--time-stamp=perhaps`: value was not a boolean
! hint: see `kiln source --help`
[125]
$ ls src/blobs/sha256 | wc -l
2
"#,
    );
}

#[test]
fn they_go_to_a_registry_and_back() {
    let test = "they_go_to_a_registry_and_back";
    if !needs(test, &[Need::Program("buildah"), Need::Program("skopeo")]) {
        return;
    }
    let Some((env, _registry)) = with_registry(test, Setup::default()) else { return };
    tell(
        &env,
        r#"
$ echo one >one; kiln source create src; kiln source add src one
$ kiln source push --tls-verify=false -q src $R/src:1
$ kiln source pull --tls-verify=false -q $R/src:1 back; diff -r src/blobs back/blobs
$ buildah source pull --tls-verify=false -q $R/src:1 theirs 2>/dev/null; diff -r src/blobs theirs/blobs
$ buildah source create new; kiln source add new one; kiln source push --tls-verify=false -q --digestfile digest new docker://$R/src:2
$ skopeo inspect --raw --tls-verify=false docker://$R/src:2 | sha256sum | grep -c "$(cut -d: -f2 digest)"
1
$ skopeo inspect --raw --tls-verify=false docker://$R/src:2 | cmp - $(grep -l '"layers"' new/blobs/sha256/*)
$ kiln push -q --tls-verify=false base docker://$R/base; kiln source pull --tls-verify=false $R/base no; ls no
! Error: cannot take `docker://<localhost>/base:latest` for a source image: its config is of the type application/vnd.oci.image.config.v1+json
! hint: make one with `kiln source create DIRECTORY`
[125]
$ kiln source pull --tls-verify=false $R/src:1 back
! Error: cannot make a source image in `back`: it exists already
! hint: name a new directory
[125]
$ kiln source pull --tls-verify=false $R/nosuch:1 no; ls no
! Error: cannot read the manifest of `<localhost>/nosuch:1`: the registry does not have it: manifest unknown
! hint: check the name and the tag: `kiln image tags NAME` lists what there is
[125]
"#,
    );
}
