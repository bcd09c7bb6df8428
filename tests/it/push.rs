//! Stories of `kiln push`: images go out, compressed as asked.

use crate::support::{tell, with_base};

#[test]
fn images_go_to_a_layout() {
    let Some(env) = with_base("images_go_to_a_layout") else { return };
    tell(
        &env,
        r#"
$ kiln push base oci:out:localhost/base:1
! Copying config <short-1>
! Copying blob <short-2>
$ kiln push -q --digestfile digest base oci:out:second
$ cat digest; echo
sha256:<id-3>
$ kiln images --digests --no-trunc --format '{{.Digest}}'
sha256:<id-3>
$ cat out/oci-layout; echo
{"imageLayoutVersion":"1.0.0"}
$ ls out; ls out/blobs/sha256 | wc -l
blobs
index.json
oci-layout
3
$ kiln --root elsewhere pull -q oci:out:second
<id-1>
$ kiln --root elsewhere images --no-trunc --digests --format '{{.ID}} {{.Digest}}'
sha256:<id-1> sha256:<id-3>
"#,
    );
}

#[test]
fn layers_made_here_are_compressed_as_asked() {
    let Some(env) = with_base("layers_made_here_are_compressed_as_asked") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ echo new >"$(kiln mount one)/new"
$ kiln commit -q --timestamp 1000000000 one made
<id-1>
$ for how in '' '--compression-format zstd' '--compression-format gzip' --disable-compression -D '--format docker' '--format oci'; do
>     rm -rf out; kiln push -q $how made oci:out:x
>     manifest=out/blobs/sha256/$(grep -o '[0-9a-f]\{64\}' out/index.json)
>     grep -o 'application/[a-z0-9.+-]*' out/index.json "$manifest" | sed "s|$manifest|manifest|"
> done
out/index.json:application/vnd.oci.image.index.v1+json
out/index.json:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.config.v1+json
manifest:application/vnd.oci.image.layer.v1.tar+gzip
manifest:application/vnd.oci.image.layer.v1.tar+gzip
out/index.json:application/vnd.oci.image.index.v1+json
out/index.json:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.config.v1+json
manifest:application/vnd.oci.image.layer.v1.tar+zstd
manifest:application/vnd.oci.image.layer.v1.tar+zstd
out/index.json:application/vnd.oci.image.index.v1+json
out/index.json:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.config.v1+json
manifest:application/vnd.oci.image.layer.v1.tar+gzip
manifest:application/vnd.oci.image.layer.v1.tar+gzip
out/index.json:application/vnd.oci.image.index.v1+json
out/index.json:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.config.v1+json
manifest:application/vnd.oci.image.layer.v1.tar+gzip
manifest:application/vnd.oci.image.layer.v1.tar
out/index.json:application/vnd.oci.image.index.v1+json
out/index.json:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.config.v1+json
manifest:application/vnd.oci.image.layer.v1.tar+gzip
manifest:application/vnd.oci.image.layer.v1.tar
out/index.json:application/vnd.oci.image.index.v1+json
out/index.json:application/vnd.docker.distribution.manifest.v2+json
manifest:application/vnd.docker.distribution.manifest.v2+json
manifest:application/vnd.docker.container.image.v1+json
manifest:application/vnd.docker.image.rootfs.diff.tar.gzip
manifest:application/vnd.docker.image.rootfs.diff.tar.gzip
out/index.json:application/vnd.oci.image.index.v1+json
out/index.json:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.manifest.v1+json
manifest:application/vnd.oci.image.config.v1+json
manifest:application/vnd.oci.image.layer.v1.tar+gzip
manifest:application/vnd.oci.image.layer.v1.tar+gzip
$ kiln images -n --format '{{.Name}}:{{.Tag}} {{.ID}}'
localhost/made:latest <short-1>
localhost/base:latest <short-2>
"#,
    );
}

#[test]
fn what_cannot_be_pushed() {
    let Some(env) = with_base("what_cannot_be_pushed") else { return };
    tell(
        &env,
        r#"
$ kiln push
! Error: cannot do `kiln push`: <IMAGE> is missing
! hint: it is used so: kiln push <IMAGE> [TARGET]
[125]
$ kiln push --retry 0 base
! Error: cannot talk to `localhost:443`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost`
[125]
$ kiln push nosuch oci:out:x
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln push --retry 0 base docker://localhost:1/x
! Error: cannot talk to `localhost:1`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost:1`
[125]
$ kiln push --retry 0 base localhost:1/nosuch
! Error: cannot talk to `localhost:1`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost:1`
[125]
$ kiln push base oci:
! Error: cannot use `oci:`: it names no directory
! hint: write oci:DIRECTORY:NAME
[125]
$ kiln push base oci:/proc/nosuch/x
! Error: cannot make the OCI layout `/proc/nosuch/x`: No such file or directory (os error 2)
[125]
$ echo file >file; kiln push base oci:file:x
! Error: cannot make the OCI layout `file`: Not a directory (os error 20)
[125]
$ mkdir other; echo hi >other/file; kiln push -q base oci:other:x; ls other
! Error: cannot make an OCI layout in `other`: the directory has other files in it
! hint: name a new directory
[125]
$ kiln push --compression-format bzip2 base oci:out:x
! Error: cannot use `--compression-format=bzip2`: write `gzip`, `zstd` or `zstd:chunked`
! hint: see `kiln push --help`
[125]
$ kiln push --nosuch base oci:out:x
! Error: cannot understand `--nosuch`: `kiln push` has no such flag
! hint: see `kiln push --help`
[125]
$ ls
file
layout
other
"#,
    );
}

/// The buffers of zstd are most of what a copy holds, and the allocator kept those of layers that were through.
#[test]
fn several_layers_as_zstd_take_the_memory_of_one() {
    let Some(env) = with_base("several_layers_as_zstd_take_the_memory_of_one") else { return };
    tell(
        &env,
        r#"
$ for name in one two three four; do
>     head -c 60000000 /dev/urandom >random; kiln from -q --name "$name" "$([ "$name" = one ] && echo base || echo made)" >names
>     kiln copy -q "$name" random "/$name" >names; kiln commit -q "$name" made >names; [ "$name" != one ] || kiln tag made first
> done
$ for image in first made; do
>     /usr/bin/time -f %M -o "$image" kiln push -q --force-compression --compression-format zstd "$image" "oci:out-$image"
> done
$ [ $(cat first) -gt 40000 ] || echo "$(cat first) KiB: too little to tell"
$ [ $(cat made) -lt $(($(cat first) + 20000)) ] || echo "$(cat made) KiB in place of $(cat first) KiB"
"#,
    );
}
