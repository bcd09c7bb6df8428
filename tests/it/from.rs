//! Stories of `kiln from`: how working containers are made and named.

use crate::support::{Need, needs, tell, with_base};

#[test]
fn names_follow_from_the_image() {
    let Some(env) = with_base("names_follow_from_the_image") else { return };
    tell(
        &env,
        r#"
$ kiln from scratch
working-container
$ kiln from scratch
working-container-1
$ kiln from scratch
working-container-2
$ kiln from localhost/base
base-working-container
$ kiln from base
base-working-container-1
$ kiln from base:latest
base-working-container-2
$ kiln rm base-working-container-1 >/dev/null
$ kiln from base
base-working-container-1
$ kiln from --name mine base
mine
$ kiln from "$(kiln images -q)"
base-working-container-3
$ kiln from "$(kiln images -q --no-trunc)"
base-working-container-4
$ kiln from -q oci:layout:localhost/base
base-working-container-5
$ kiln tag base registry.example.com:5000/team/tool:1.2
$ kiln from registry.example.com:5000/team/tool:1.2
tool-working-container
$ kiln from tool:1.2
tool-working-container-1
$ kiln containers --format '{{.ContainerName}} {{.ImageName}}'
working-container scratch
working-container-1 scratch
working-container-2 scratch
base-working-container localhost/base:latest
base-working-container-2 localhost/base:latest
base-working-container-1 localhost/base:latest
mine localhost/base:latest
base-working-container-3 localhost/base:latest
base-working-container-4 localhost/base:latest
base-working-container-5 localhost/base:latest
tool-working-container registry.example.com:5000/team/tool:1.2
tool-working-container-1 registry.example.com:5000/team/tool:1.2
"#,
    );
}

#[test]
fn the_id_goes_to_a_file() {
    let Some(env) = with_base("the_id_goes_to_a_file") else { return };
    tell(
        &env,
        r#"
$ kiln from --cidfile cid --name one base
one
$ cat cid; echo
<id-1>
$ kiln containers --notruncate --format '{{.ContainerID}}'
<id-1>
$ kiln from --cidfile no/such/dir scratch
! Error: cannot write `no/such/dir`: No such file or directory (os error 2)
! hint: name a file in a directory that is there, and may be written to
[125]
"#,
    );
}

/// Images that are not there, and words that make no sense.
const REFUSED: &str = r#"
$ kiln from
! Error: cannot do `kiln from`: <IMAGE> is missing
! hint: it is used so: kiln from <IMAGE>
[125]
$ kiln from nosuch
! Error: cannot resolve the short name `nosuch`: there is no alias for it, and no registry to search in
! hint: write the whole name, HOST/nosuch, or set unqualified-search-registries in registries.conf
[125]
$ kiln from --pull=never localhost/base:other
! Error: cannot find the image `localhost/base:other`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln from a2b3c4d5e6f7
! Error: cannot resolve the short name `<short-1>`: there is no alias for it, and no registry to search in
! hint: write the whole name, HOST/<short-1>, or set unqualified-search-registries in registries.conf
[125]
$ kiln from Upper/Case
! Error: cannot use the image name `Upper/Case`: an image name has no upper-case letters
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln from ''
! Error: cannot use the image name ``: the name is empty
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln from base base
! Error: cannot understand `base`: `kiln from` takes no further word
! hint: see `kiln from --help`
[125]
$ kiln from --nosuch base
! Error: cannot understand `--nosuch`: `kiln from` has no such flag
! hint: did you mean `--os`? see `kiln from --help`
[125]
$ kiln from --format zip base
! Error: cannot use `--format=zip`: a format is `oci` or `docker`
! hint: see `kiln from --help`
[125]
$ kiln from --retry 0 docker://localhost:1/base
! Error: cannot talk to `localhost:1`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost:1`
[125]
$ kiln from oci:
! Error: cannot use `oci:`: it names no directory
! hint: write oci:DIRECTORY:NAME
[125]
$ kiln from oci:nowhere
! Error: cannot open the OCI layout `nowhere`: No such file or directory (os error 2)
! hint: see what there is: ls .
[125]
$ kiln from oci:layout:other
! Error: cannot find the image `other` in `layout`: it has one image: localhost/base
! hint: name one of them: oci:layout:localhost/base
[125]
$ kiln from oci:layout:bad^name
! Error: cannot use `oci:layout:bad^name`: the name has a character that OCI layouts do not allow
! hint: write oci:DIRECTORY:NAME
[125]
$ kiln from --name taken base
taken
$ kiln from --name taken base
! Error: cannot name a container `taken`: another container has that name
! hint: remove that one with `kiln rm taken`, or choose another name
[125]
$ kiln from --name '' base
! Error: cannot name a container ``: a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit
! hint: choose one such as builder-1
[125]
$ kiln from --name a/b base
! Error: cannot name a container `a/b`: a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit
! hint: choose one such as builder-1
[125]
$ kiln containers --format '{{.ContainerName}}'
taken
"#;

#[test]
fn what_cannot_be_started_from() {
    let Some(env) = with_base("what_cannot_be_started_from") else { return };
    tell(&env, REFUSED);
}

#[test]
fn labels_that_are_off_need_no_security_module() {
    let test = "labels_that_are_off_need_no_security_module";
    if !needs(test, &[Need::Busybox]) {
        return;
    }
    let Some(env) = with_base(test) else { return };
    tell(
        &env,
        r#"
$ kiln from --name off --security-opt label=disable --security-opt apparmor=unconfined base
off
$ kiln copy -q off "$(command -v busybox)" /bin/sh; kiln run off -- sh -c 'echo ran'
ran
$ kiln from --security-opt label=nonsense:x base
! Error: cannot use the security option `label=nonsense:x`: a label is disable, or user:, role:, type:, level:, filetype: and a value
! hint: use seccomp=, label=, apparmor=, mask=, unmask= or no-new-privileges
[125]
$ kiln from --security-opt label=type: base
! Error: cannot use the security option `label=type:`: a label is disable, or user:, role:, type:, level:, filetype: and a value
! hint: use seccomp=, label=, apparmor=, mask=, unmask= or no-new-privileges
[125]
$ kiln from --security-opt apparmor= base
! Error: cannot use the security option `apparmor=`: it has no value
! hint: use seccomp=, label=, apparmor=, mask=, unmask= or no-new-privileges
[125]
$ kiln from --security-opt selinux=off base
! Error: cannot use the security option `selinux=off`: there is no such option
! hint: use seccomp=, label=, apparmor=, mask=, unmask= or no-new-privileges
[125]
"#,
    );
}

#[test]
fn a_registry_is_asked_as_the_policy_says() {
    let Some(env) = with_base("a_registry_is_asked_as_the_policy_says") else { return };
    env.write("registries.conf", "unqualified-search-registries = [\"localhost:1\"]\n");
    tell(
        &env,
        r#"
$ export CONTAINERS_REGISTRIES_CONF=registries.conf; for policy in missing ifmissing never false; do kiln from --pull=$policy base; done; kiln from --pull-never base
base-working-container
base-working-container-1
base-working-container-2
base-working-container-3
base-working-container-4
$ kiln from --pull-never oci:layout:localhost/base
base-working-container-5
$ kiln from --pull=never nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln from --pull=sometimes base
! Error: cannot use `--pull=sometimes`: write missing, always, never or newer
! hint: --pull=missing
[125]
$ kiln from --pull=always --pull-never base
! Error: cannot use `--pull` and `--pull-never` together
! hint: see `kiln from --help`
[125]
$ kiln from --pull-always --pull-never base
! Error: cannot use `--pull-always` and `--pull-never` together
! hint: see `kiln from --help`
[125]
$ CONTAINERS_REGISTRIES_CONF=registries.conf kiln from --pull=always --retry 0 localhost:1/base 2>&1 | head -c 60; echo
Error: cannot talk to `localhost:1`: Connection refused (os 
$ kiln from --platform linux/arm64 --pull=never base
! Error: cannot find the image `base`: the one in the store is for linux/amd64
! hint: let it be brought from a registry: --pull=missing
[125]
$ kiln from --platform linux/amd64 --pull=never base
base-working-container-6
$ kiln from --platform linux --arch arm64 base
! Error: cannot use `--platform` and `--arch` together
! hint: see `kiln from --help`
[125]
$ kiln from --platform /x base
! Error: cannot use the platform `/x`
! hint: write OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64
[125]
"#,
    );
}

#[test]
fn what_an_image_from_nothing_is_for() {
    let Some(env) = with_base("what_an_image_from_nothing_is_for") else { return };
    tell(
        &env,
        r#"
$ kiln from --name arm --arch arm64 --variant v8 scratch; kiln inspect --format '{{.OCIv1.OS}}/{{.OCIv1.Architecture}}/{{.OCIv1.Variant}}' arm
arm
linux/arm64/v8
$ kiln from --name other --platform windows/amd64 scratch; kiln inspect --format '{{.OCIv1.OS}}/{{.OCIv1.Architecture}}/{{.OCIv1.Variant}}' other
other
windows/amd64/
$ BUILDAH_FORMAT=docker kiln from --name docker --blob-cache cache/below scratch; kiln inspect --format '{{.Format}}' docker; ls cache
docker
docker
below
$ BUILDAH_FORMAT=zip kiln from scratch
! Error: cannot use BUILDAH_FORMAT=`zip`: a format is `oci` or `docker`
! hint: set it to `oci` or `docker`, or unset it
[125]
$ kiln from --decryption-key key base
! Error: cannot use --decryption-key: Kiln does not do what it asks for
! hint: take an image that is not encrypted
[125]
$ kiln from --blob-cache /proc/nosuch base
! Error: cannot make the directory `/proc/nosuch`: No such file or directory (os error 2)
! hint: name another one with --blob-cache DIR, or leave it away
[125]
"#,
    );
}
