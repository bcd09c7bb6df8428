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
fn layers_made_here_are_told_of_one_by_one() {
    let Some(env) = with_base("layers_made_here_are_told_of_one_by_one") else { return };
    // Of each piece of work the last that moved, for how often that is told depends on the time.
    env.write("told", r#"kiln --progress json "$@" 2>&1 | tac | sort -u -t'"' -k4,8"#);
    tell(
        &env,
        r#"
$ for n in 1 2; do kiln from -q --name c$n base; seq ${n}0000 >"$(kiln mount c$n)/numbers"; kiln commit -q --timestamp 1000000000 c$n base; done >/dev/null
$ sh told push base oci:out:x
{"event":"began","task":"copying blob <short-1>","bytes":211}
{"event":"began","task":"copying config <short-2>","bytes":687}
{"event":"began","task":"writing layer <short-3>","bytes":110592}
{"event":"began","task":"writing layer <short-4>","bytes":50688}
{"event":"copied","source":"localhost/base:latest","target":"oci:out:x"}
{"event":"ended","task":"copying blob <short-1>","sent":211}
{"event":"ended","task":"copying config <short-2>","sent":687}
{"event":"ended","task":"writing layer <short-3>","sent":43616}
{"event":"ended","task":"writing layer <short-4>","sent":22612}
{"event":"moved","task":"copying blob <short-1>","bytes":211}
{"event":"moved","task":"copying config <short-2>","bytes":687}
{"event":"moved","task":"writing layer <short-3>","bytes":110592}
{"event":"moved","task":"writing layer <short-4>","bytes":50688}
$ sh told push base oci:out:x
{"event":"copied","source":"localhost/base:latest","target":"oci:out:x"}
$ sh told image copy --dest-force-compress-format --dest-compress-format zstd oci:out:x oci:out:y | grep layer
{"event":"began","task":"writing layer <short-3>","bytes":43616}
{"event":"began","task":"writing layer <short-5>","bytes":211}
{"event":"began","task":"writing layer <short-4>","bytes":22612}
{"event":"ended","task":"writing layer <short-3>","sent":27197}
{"event":"ended","task":"writing layer <short-5>","sent":165}
{"event":"ended","task":"writing layer <short-4>","sent":21662}
{"event":"moved","task":"writing layer <short-3>","bytes":43616}
{"event":"moved","task":"writing layer <short-5>","bytes":211}
{"event":"moved","task":"writing layer <short-4>","bytes":22612}
$ kiln push base dir:plain 2>&1 | sort
Copying blob <short-1>
Copying config <short-2>
Writing layer <short-3>
Writing layer <short-4>
$ sh told --root elsewhere pull oci:out:x | grep -v copying
<id-2>
{"event":"copied","source":"oci:out:x","target":"localhost/x:latest"}
$ sh told save -m -o two.tar base base | grep copied
{"event":"copied","source":"localhost/base:latest, localhost/base:latest","target":"docker-archive:two.tar"}
$ seq 9 >"$(kiln mount c1)/nine"; sh told commit --timestamp 1000000000 c1 oci:out:z | grep layer
{"event":"began","task":"writing layer of c1","bytes":null}
{"event":"ended","task":"writing layer of c1","sent":51712}
{"event":"moved","task":"writing layer of c1","bytes":51712}
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
! hint: make its directory first: mkdir -p /proc/nosuch
[125]
$ echo file >file; kiln push base oci:file:x
! Error: cannot make the OCI layout `file`: Not a directory (os error 20)
[125]
$ mkdir other; echo hi >other/file; kiln push -q base oci:other:x; ls other
blobs
file
index.json
oci-layout
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

/// At high levels zstd's own tables are for more than any worker sees, up to a gigabyte.
#[test]
fn high_levels_of_zstd_take_little_memory() {
    let Some(env) = with_base("high_levels_of_zstd_take_little_memory") else { return };
    tell(
        &env,
        r#"
$ head -c 8000000 /dev/urandom >random; c=$(kiln from base); kiln copy -q $c random /random; kiln commit -q $c made >id
$ for level in 12 15 16 19 22; do
>     /usr/bin/time -f %M -o $level kiln push -q --compression-format zstd --compression-level $level made oci:out-$level
>     [ $(cat $level) -lt 98304 ] || echo "level $level takes $(cat $level) KiB"
> done
"#,
    );
}
