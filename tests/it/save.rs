//! Stories of `kiln save` and `kiln load`: images in archives and directories.

use crate::support::{tell, with_base};

#[test]
fn images_go_into_archives_and_come_back() {
    let Some(env) = with_base("images_go_into_archives_and_come_back") else { return };
    tell(
        &env,
        r#"
$ kiln save -q -o docker.tar base
$ kiln save -q base other:1 >named.tar
$ kiln save -q --format oci-archive -o oci.tar base
$ kiln save -q --format oci-dir -o oci base
$ kiln save -q --format docker-dir -o dir base
$ kiln save -q --format docker-dir --compress -o packed base
$ kiln save -q -m -o both.tar base
$ gzip -k docker.tar
$ for input in docker.tar named.tar oci.tar oci dir packed both.tar docker.tar.gz; do kiln --root elsewhere load -q -i $input; done
Loaded image: localhost/base:latest
Loaded image: localhost/base:latest
Loaded image: localhost/other:1
Loaded image: localhost/base:latest
Loaded image: localhost/base:latest
Loaded image: sha256:<id-1>
Loaded image: sha256:<id-1>
Loaded image: localhost/base:latest
Loaded image: localhost/base:latest
$ kiln --root elsewhere load -q <named.tar
Loaded image: localhost/base:latest
Loaded image: localhost/other:1
$ cat docker.tar | kiln --root elsewhere load -q
Loaded image: localhost/base:latest
$ kiln --root elsewhere images --no-trunc --format '{{.ID}}' | sort -u
sha256:<id-1>
$ kiln images --no-trunc --format '{{.ID}}'
sha256:<id-1>
$ kiln --root elsewhere check
"#,
    );
}

#[test]
fn an_archive_has_several_images() {
    let Some(env) = with_base("an_archive_has_several_images") else { return };
    tell(
        &env,
        r#"
$ c=$(kiln from base); kiln config --label second=yes $c; kiln commit -q $c second:2 >/dev/null; kiln rm $c >/dev/null
$ kiln save -q -m -o two.tar base second:2
$ tar -tf two.tar | grep -c 'tar$'
2
$ kiln image tags docker-archive:two.tar
{
    "Tags": [
        "localhost/base:latest",
        "localhost/second:2"
    ]
}
$ kiln --root elsewhere load -q -i two.tar
Loaded image: localhost/base:latest
Loaded image: localhost/second:2
$ kiln --root third pull -q docker-archive:two.tar:localhost/second:2
<id-1>
$ kiln --root third images --format '{{.Name}}:{{.Tag}}'
localhost/second:2
$ kiln --root fourth pull -q --all-tags docker-archive:two.tar | wc -l
2
$ kiln --root third pull -q docker-archive:two.tar
! Error: cannot choose an image in `two.tar`: it has 2 images: localhost/base:latest, localhost/second:2
! hint: name one of them: docker-archive:two.tar:localhost/base:latest
[125]
$ kiln --root third pull -q docker-archive:two.tar@1 | wc -l
1
$ kiln --root third pull -q docker-archive:two.tar:nosuch:1
! Error: cannot find the image `nosuch:1` in `two.tar`: it has 2 images: localhost/base:latest, localhost/second:2
! hint: name one of them: docker-archive:two.tar:localhost/base:latest
[125]
"#,
    );
}

/// Not after what was typed, which may leave out the host.
#[test]
fn an_image_of_an_archive_is_named_by_its_own_tag() {
    let Some(env) = with_base("an_image_of_an_archive_is_named_by_its_own_tag") else { return };
    tell(
        &env,
        r#"
$ kiln image copy -q oci:layout:localhost/base docker-archive:lib.tar:alpine:3
$ kiln image copy -q oci:layout:localhost/base docker-archive:theirs.tar:registry.example/alpine:3
$ mkdir old; tar -C old -xf lib.tar; sed -i 's,"[^"]*/library/alpine:3","alpine:3"\,"other:1",' old/manifest.json; tar -C old -cf old.tar manifest.json $(cd old; ls | grep -v manifest)
$ for f in lib.tar theirs.tar old.tar; do kiln --root $f.root pull -q docker-archive:$f:alpine:3; kiln --root $f.root images --format '{{.Name}}:{{.Tag}}' | sed 's,.*/library/,HUB/library/,'; done
<id-1>
HUB/library/alpine:3
<id-1>
registry.example/alpine:3
<id-1>
localhost/alpine:3
$ kiln --root lib.tar.root from docker-archive:lib.tar:alpine:3; kiln --root lib.tar.root images -q | wc -l
alpine-working-container
1
"#,
    );
}

/// Beside the one that is given, as with Buildah; an image that is pushed by its id has none.
#[test]
fn a_pushed_image_keeps_its_name_in_an_archive() {
    let Some(env) = with_base("a_pushed_image_keeps_its_name_in_an_archive") else { return };
    let tags = r#"tar -xOf $1 manifest.json | grep -o '"RepoTags":[^]]*]'"#;
    env.write("names", format!(r#"{tags} | sed 's,"[^"]*/library/,"HUB/library/,'"#));
    tell(
        &env,
        r#"
$ kiln tag base registry.example/second:2
$ n=0; for image in base localhost/base:latest second:2 $(kiln images -q base); do n=$((n+1)); kiln push -q $image docker-archive:$n.tar; sh names $n.tar; done
"RepoTags":["localhost/base:latest"]
"RepoTags":["localhost/base:latest"]
"RepoTags":["registry.example/second:2"]
"RepoTags":[]
$ kiln push -q base docker-archive:both.tar:x:y; sh names both.tar; kiln push -q base docker-archive:same.tar:localhost/base; sh names same.tar
"RepoTags":["HUB/library/x:y","localhost/base:latest"]
"RepoTags":["localhost/base:latest"]
$ kiln --root elsewhere pull -q docker-archive:3.tar; kiln --root elsewhere images --format '{{.Name}}:{{.Tag}}'
<id-1>
registry.example/second:2
$ c=$(kiln from base); kiln commit -q $c docker-archive:made.tar >/dev/null; sh names made.tar
"RepoTags":[]
$ kiln image copy -q oci:layout:localhost/base docker-archive:none.tar; sh names none.tar
"RepoTags":[]
"#,
    );
}

#[test]
fn what_cannot_be_saved_or_loaded() {
    let Some(env) = with_base("what_cannot_be_saved_or_loaded") else { return };
    tell(
        &env,
        r#"
$ kiln save
! Error: cannot do `kiln save`: <IMAGES>... is missing
! hint: it is used so: kiln save <IMAGES>...
[125]
$ kiln save -o x.tar nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln save --format zip -o x.tar base
! Error: cannot use `--format=zip`: write docker-archive, oci-archive, oci-dir or docker-dir
! hint: see `kiln save --help`
[125]
$ kiln save --format oci-dir base
! Error: cannot save the images: a directory does not go to standard output
! hint: name one with --output DIR
[125]
$ kiln save -m --format oci-archive -o x.tar base base
! Error: cannot save the images: only an archive of Docker's holds several
! hint: save them one by one, or with --format docker-archive
[125]
$ kiln save --compress -o x.tar base
! Error: cannot save the images: --compress is for --format docker-dir only
! hint: leave out --compress
[125]
$ kiln save -o . base
! Error: cannot write `.`: it is a directory
! hint: name a file in it
[125]
$ kiln save -q -o x.tar base; kiln save -q -o x.tar base
! Error: cannot write `x.tar`: it exists, and nothing is added to an archive of Docker's
! hint: remove it first, or name another file
[125]
$ kiln load -i nosuch.tar
! Error: cannot open the archive `nosuch.tar`: No such file or directory (os error 2)
! hint: see what there is: ls .
[125]
$ echo no tar >text; kiln load -i text
! Error: cannot open the archive `text`: cannot read the archive: it is no tar, or has nothing in it
[125]
$ head -c 4000 x.tar >cut.tar; kiln load -i cut.tar
! Error: cannot open the archive `cut.tar`: cannot read the archive: it is cut short
[125]
$ mkdir dir; tar -cf empty.tar dir; kiln load -i empty.tar
! Error: cannot load the images of `empty.tar`: it has neither manifest.json nor oci-layout
! hint: name an archive that `kiln save`, `podman save` or `docker save` has written
[125]
$ kiln load -i dir
! Error: cannot read the manifest of `dir:dir`: No such file or directory (os error 2)
[125]
$ kiln load </dev/null
! Error: cannot read the archive: it is no tar, or has nothing in it
[125]
$ kiln images -q | wc -l
1
"#,
    );
}
