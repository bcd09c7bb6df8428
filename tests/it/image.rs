//! Stories of `kiln image`, and of Kiln under the name `skopeo`: images wherever they are.

use crate::support::{Need, needs, tell, with_base, with_base_for_user};

#[test]
fn images_are_copied_between_any_two_places() {
    let Some(env) = with_base("images_are_copied_between_any_two_places") else { return };
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo
$ from=oci:layout:localhost/base; for to in dir:d oci:o:x oci-archive:o.tar:x docker-archive:d.tar:x:1 dir:d2; do ./skopeo --insecure-policy copy -q $from $to; from=${to%:x}; from=${from%:x:1}; done; kiln --root elsewhere pull -q dir:d2
<id-1>
$ ./skopeo copy oci:layout:localhost/base oci:again:y
! Copying config <short-1>
! Copying blob <short-2>
$ ./skopeo copy -q --digestfile digest oci:layout:localhost/base dir:same; ./skopeo manifest-digest same/manifest.json; cat digest; echo
sha256:<id-3>
sha256:<id-3>
$ ./skopeo copy -q --dest-compress-format zstd oci:layout:localhost/base oci:zstd:y; ./skopeo inspect --format '{{range .LayersData}}{{.MIMEType}}{{end}}' oci:zstd:y
application/vnd.oci.image.layer.v1.tar+zstd
$ ./skopeo inspect oci:zstd:y >whole; ./skopeo inspect --format '{{json .}}' oci:zstd:y | cmp - whole; ./skopeo inspect --format '{{json .LayersData}}' oci:zstd:y | cut -c-13
[{"MIMEType":
$ ./skopeo copy -q --dest-decompress oci:layout:localhost/base dir:plain; ./skopeo inspect --format '{{range .LayersData}}{{.MIMEType}}{{end}}' dir:plain
application/vnd.oci.image.layer.v1.tar
$ ./skopeo copy -q --format v2s2 oci:layout:localhost/base dir:docker; ./skopeo inspect --raw dir:docker | grep -o 'application/[a-z0-9.+-]*'
application/vnd.docker.distribution.manifest.v2+json
application/vnd.docker.container.image.v1+json
application/vnd.docker.image.rootfs.diff.tar.gzip
$ ./skopeo copy -q --additional-tag more:2 oci:layout:localhost/base oci:tagged:one; ./skopeo list-tags oci:tagged
{
    "Tags": [
        "one",
        "more:2"
    ]
}
$ ./skopeo copy -q --additional-tag more:2,third oci:layout:localhost/base docker-archive:tagged.tar:one:1; ./skopeo list-tags docker-archive:tagged.tar | sed "s,[^\"]*/library/,HUB/library/,"
{
    "Tags": [
        "HUB/library/one:1",
        "HUB/library/more:2",
        "HUB/library/third:latest"
    ]
}
$ ./skopeo copy --additional-tag more:2 oci:layout:localhost/base dir:untagged
! Error: cannot give an image in `dir:untagged` the name `more:2` as well: there is one image of one name
! hint: leave out --additional-tag
[1]
$ ./skopeo copy -q oci:layout:localhost/base containers-storage:copied; kiln images --format '{{.Name}}:{{.Tag}}'
localhost/base:latest
localhost/copied:latest
$ kiln image copy -q containers-storage:base oci:out:z && kiln image inspect --format '{{.Digest}} {{.Env}} {{.Labels}}' oci:out:z
sha256:<id-3> [PATH=/bin KEPT=yes] map[of:base]
"#,
    );
}

#[test]
fn an_image_is_looked_at() {
    let Some(env) = with_base("an_image_is_looked_at") else { return };
    tell(
        &env,
        r#"
$ kiln image inspect oci:layout:localhost/base
{
    "Digest": "sha256:<id-1>",
    "RepoTags": [],
    "Created": "<time>",
    "DockerVersion": "",
    "Labels": {
        "of": "base"
    },
    "Architecture": "amd64",
    "Os": "linux",
    "Layers": [
        "sha256:<id-2>"
    ],
    "LayersData": [
        {
            "MIMEType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "Digest": "sha256:<id-2>",
            "Size": 211,
            "Annotations": null
        }
    ],
    "Env": [
        "PATH=/bin",
        "KEPT=yes"
    ]
}
$ kiln image inspect --config oci:layout
{
    "created": "<time>",
    "architecture": "amd64",
    "os": "linux",
    "config": {
        "Env": [
            "PATH=/bin",
            "KEPT=yes"
        ],
        "Cmd": [
            "/bin/sh"
        ],
        "Labels": {
            "of": "base"
        }
    },
    "rootfs": {
        "type": "layers",
        "diff_ids": [
            "sha256:<id-3>"
        ]
    },
    "history": [
        {
            "created": "<time>",
            "created_by": "written by hand"
        }
    ]
}
$ kiln image inspect --raw oci:layout | kiln image inspect --raw oci:layout | cmp - layout/blobs/sha256/$(kiln image inspect --format '{{.Digest}}' oci:layout | cut -d: -f2)
$ kiln image inspect --raw --config oci:layout | sha256sum
<id-4>  -
$ kiln image inspect --format '{{.Nosuch}}' oci:layout
! Error: cannot fill in the format `{{.Nosuch}}`: map has no entry for key: Nosuch
! hint: see all fields with --format json
[125]
$ kiln image inspect nosuch
! Error: cannot use `nosuch`: it names no transport
! hint: write docker://nosuch for a registry, or containers-storage:nosuch for the store
[125]
$ kiln image inspect dir:nowhere
! Error: cannot open the directory `nowhere`: No such file or directory (os error 2)
! hint: see what there is: ls .
[125]
"#,
    );
}

#[test]
fn an_index_is_copied_whole_or_for_one_platform() {
    let Some(env) = with_base("an_index_is_copied_whole_or_for_one_platform") else { return };
    tell(
        &env,
        r#"
$ kiln manifest create list base >/dev/null; kiln image copy -q --dest-compress-format zstd oci:layout oci:second:z; kiln manifest add --os linux --arch s390x list oci:second:z >/dev/null; kiln manifest push -q list oci:multi:x
$ kiln image inspect --raw oci:multi:x | sha256sum | cut -c1-64
<id-1>
$ kiln image copy -q --all oci:multi:x oci-archive:multi.tar:y; kiln image inspect --raw oci-archive:multi.tar | sha256sum | cut -c1-64
<id-1>
$ kiln image copy -q --all --preserve-digests oci:multi:x dir:multidir; ls multidir | wc -l
7
$ kiln image copy -q --multi-arch index-only oci:multi:x dir:indexonly; ls indexonly
manifest.json
version
$ kiln image --override-arch s390x copy -q oci:multi:x dir:one; kiln image inspect --raw dir:one | grep -c layers
1
$ kiln image --platform linux/sparc copy -q oci:multi:x dir:none
! Error: cannot choose an image in `oci:multi:x`: cannot find an image for `linux/sparc`: the index has linux/amd64, linux/s390x
! hint: take one of these with --platform linux/amd64
[125]
$ kiln image copy -q --all oci:multi:x docker-archive:none.tar
! Error: cannot copy an index to `docker-archive:none.tar`: it takes single images only
! hint: copy the image for one platform, without --all
[125]
$ kiln image copy -q --all --preserve-digests --format v2s2 oci:multi:x dir:kept
! Error: cannot keep the digests in `dir:kept`: --format asks for other media types than the index has
! hint: copy without --preserve-digests
[125]
"#,
    );
}

#[test]
fn progress_is_told_as_asked_for() {
    let Some(env) = with_base("progress_is_told_as_asked_for") else { return };
    tell(
        &env,
        r#"
$ kiln --progress json image copy oci:layout oci:one:x
! {"event":"began","task":"copying config <short-1>","bytes":345}
! {"event":"moved","task":"copying config <short-1>","bytes":345}
! {"event":"ended","task":"copying config <short-1>","sent":345}
! {"event":"began","task":"copying blob <short-2>","bytes":211}
! {"event":"moved","task":"copying blob <short-2>","bytes":211}
! {"event":"ended","task":"copying blob <short-2>","sent":211}
! {"event":"copied","source":"oci:layout","target":"oci:one:x"}
$ kiln image copy --progress plain oci:layout oci:two:x
! Copying config <short-1>
! Copying blob <short-2>
$ kiln --progress tty image copy oci:layout oci:three:x 2>&1 | grep -o -e 'Copying blob' -e 'Copied oci:layout to oci:three:x: 2 pieces' | sort -u
Copied oci:layout to oci:three:x: 2 pieces
Copying blob
$ kiln --progress json image copy -q oci:layout oci:four:x
$ kiln --progress loud image copy oci:layout oci:five:x
! Error: cannot use `--progress=loud`: progress is auto, tty, plain, json (or rawjson) or quiet
! hint: see `kiln image --help`
[125]
"#,
    );
}

#[test]
fn directories_are_synchronized() {
    let Some(env) = with_base("directories_are_synchronized") else { return };
    tell(
        &env,
        r#"
$ kiln image copy -q oci:layout dir:all/one:1; kiln image copy -q oci:layout dir:all/team/two:2
$ kiln image sync --src dir --dest docker --dry-run all registry.example/here
! Copying dir:all/one:1 to docker://registry.example/here/one:1
! Copying dir:all/team/two:2 to docker://registry.example/here/two:2
$ kiln image sync --src dir --dest docker --dry-run --scoped all registry.example/here
! Copying dir:all/one:1 to docker://registry.example/here/one:1
! Copying dir:all/team/two:2 to docker://registry.example/here/team/two:2
$ for from in $PWD/all all/team/two:2 $PWD/all/team; do kiln image sync -s dir -d docker --dry-run --scoped $from registry.example/here; done
! Copying dir:<dir>/files/all/one:1 to docker://registry.example/here/one:1
! Copying dir:<dir>/files/all/team/two:2 to docker://registry.example/here/team/two:2
! Copying dir:all/team/two:2 to docker://registry.example/here/two:2
! Copying dir:<dir>/files/all/team/two:2 to docker://registry.example/here/two:2
$ cd all/one:1; kiln image sync --src dir --dest docker --dry-run --scoped . registry.example/here
! Copying dir:. to docker://registry.example/here/one:1
$ kiln image sync --src dir --dest dir all elsewhere
! Error: cannot copy from directory to directory: no registry has a part in it
! hint: copy the directory itself: cp -r SOURCE TARGET
[125]
$ kiln image sync --src yaml --dest dir all elsewhere
! Error: cannot read the list `all`: Is a directory (os error 21)
[125]
$ kiln image sync --src dir --dest docker layout registry.example/here
! Error: cannot find an image in `layout`: no directory in it has a manifest.json
! hint: name the directory that `sync --dest dir` has written to
[125]
"#,
    );
}

#[test]
fn a_verb_alone_is_a_question_or_an_error() {
    let Some(env) = with_base("a_verb_alone_is_a_question_or_an_error") else { return };
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo
$ ./skopeo
! Error: cannot do `skopeo`: a verb is missing
! hint: see `skopeo --help`
[1]
$ for verb in help copy list-tags sync completion; do ./skopeo $verb | grep ^Usage; done
Usage: skopeo [OPTIONS] <COMMAND>
Usage: skopeo copy [OPTIONS] <SOURCE> <TARGET>
Usage: skopeo list-tags [OPTIONS] <REPOSITORY>
Usage: skopeo sync [OPTIONS] --src <TRANSPORT> --dest <TRANSPORT> <SOURCE> <TARGET>
Usage: skopeo completion [OPTIONS] <SHELL>
$ for verb in delete inspect login logout manifest-digest standalone-verify; do ./skopeo $verb 2>/dev/null || echo $?; done | xargs
1 1 1 1 1 1
"#,
    );
}

#[test]
fn what_cannot_be_copied() {
    let Some(env) = with_base("what_cannot_be_copied") else { return };
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo
$ ./skopeo copy oci:layout
! Error: cannot do `skopeo copy`: <TARGET> is missing
! hint: it is used so: skopeo copy <SOURCE> <TARGET>
[1]
$ ./skopeo copy layout dir:x
! Error: cannot use `layout`: it names no transport
! hint: write docker://layout for a registry, or containers-storage:layout for the store
[1]
$ ./skopeo copy oci:layout ostree:x
! Error: cannot use `ostree:x`: there is no `ostree:` transport here
! hint: use an OCI layout: oci:DIRECTORY:NAME
[1]
$ ./skopeo copy --sign-by me oci:layout dir:x
! Error: cannot use --sign-by: Kiln does not do what it asks for
! hint: sign the image afterwards, with a tool that keeps the keys
[1]
$ ./skopeo copy --encryption-key k oci:layout dir:x
! Error: cannot use --encryption-key: Kiln does not do what it asks for
! hint: copy the image without encryption
[1]
$ ./skopeo copy --dest-daemon-host h oci:layout docker-daemon:x
! Error: cannot use the Docker daemon at `h`: it is no address
! hint: write unix://PATH or tcp://HOST:PORT, e.g. unix:///var/run/docker.sock
[1]
$ ./skopeo copy --format v2s1 oci:layout dir:x
! Error: cannot use `--format=v2s1`: Docker's schema 1 is written by no tool any more; write `oci` or `v2s2`
! hint: see `skopeo --help`
[1]
$ ./skopeo copy --format v2s2 --dest-compress-format zstd oci:layout dir:x
! Error: cannot compress the layers with `zstd`: Docker's media types have none for it
! hint: write OCI's media types, with --format oci
[1]
$ ./skopeo copy --preserve-digests oci:layout docker-archive:x.tar
! Error: cannot keep the digests in `docker-archive:x.tar`: the target takes no manifest of this media type
! hint: copy without --preserve-digests
[1]
$ ./skopeo delete oci:layout
! Error: cannot delete `oci:layout`: it is a file or a directory, perhaps with other images in it
! hint: remove the file or directory itself
[1]
$ ./skopeo list-tags dir:layout
! Error: cannot list the tags of `dir:layout`: there is one image in it
! hint: name a repository, docker://HOST/NAME, or an archive
[1]
$ ./skopeo copy --sign-identity me oci:layout dir:x
! Error: cannot use --sign-identity: Kiln does not do what it asks for
! hint: sign the image afterwards, with a tool that keeps the keys
[1]
$ ./skopeo sync --sign-passphrase-file f --src dir --dest docker layout localhost:1
! Error: cannot use --sign-passphrase-file: Kiln does not do what it asks for
! hint: sign the image afterwards, with a tool that keeps the keys
[1]
$ ./skopeo --debug
! Error: cannot do `skopeo`: a verb is missing
! hint: see `skopeo --help`
[1]
$ ./skopeo -v
skopeo version 1.22.0
$ ./skopeo logout --authfile none --tls-verify=perhaps localhost:1
! Error: cannot use `--tls-verify=perhaps`: write true or false
! hint: see `skopeo --help`
[1]
$ ./skopeo nosuch
! Error: cannot understand `nosuch`: `skopeo` has no such verb
! hint: see `skopeo --help`
[1]
$ ls
layout
skopeo
"#,
    );
}

#[test]
fn every_flag_of_skopeo_is_known() {
    let test = "every_flag_of_skopeo_is_known";
    if !needs(test, &[Need::Program("skopeo")]) {
        return;
    }
    let Some(env) = with_base(test) else { return };
    env.write(
        "flags",
        r#"verbs='copy inspect list-tags delete sync login logout manifest-digest standalone-sign standalone-verify'
for verb in $verbs; do
for flag in $(skopeo $verb --help | grep -oE '^ +(-[a-zA-Z], +)?--[a-z.-]+' | tr -d ,); do
./skopeo $verb $flag 2>&1 | grep -q 'has no such flag' && echo $verb $flag
done; done
for flag in $(skopeo --help | sed -n '/^Flags:/,$p' | grep -oE '^ +(-[a-zA-Z], +)?--[a-z.-]+' | tr -d ,); do
./skopeo $flag 2>&1 | grep -q 'has no such flag' && echo $flag
done; true
"#,
    );
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo; ./skopeo copy --nosuch 2>&1 | grep -c 'has no such flag'
1
$ sh flags
$ ./skopeo completion bash | bash -n
$ ./skopeo completion bash | grep -c '_skopeo()'
1
"#,
    );
}

#[test]
fn a_copy_that_fails_leaves_nothing() {
    let Some(env) = with_base("a_copy_that_fails_leaves_nothing") else { return };
    tell(
        &env,
        r#"
$ kiln image copy -q oci:layout oci:old:one; kiln image copy -q oci:layout dir:olddir; cp -r layout broken; layer=$(ls -S broken/blobs/sha256/* | head -n 1); printf x | dd of=$layer conv=notrunc 2>/dev/null
$ for to in oci:new:x oci:old:x dir:newdir dir:olddir oci-archive:a.tar:x docker-archive:b.tar:x:1; do kiln image copy -q --dest-compress-format zstd oci:broken $to 2>/dev/null || echo $?; done | uniq -c | xargs
6 125
$ ls; kiln image inspect --raw oci:old:one | cmp - olddir/manifest.json; diff -r layout/blobs old/blobs
broken
layout
old
olddir
$ kiln image copy -q oci:layout dir:again; diff -r olddir again
"#,
    );
}

#[test]
fn templates_see_what_those_of_skopeo_see() {
    let Some(env) = with_base("templates_see_what_those_of_skopeo_see") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base >id; kiln config --env KEPT=yes --label a=b --port 80 --author me one; kiln commit -q one oci:made:x >id
$ for format in '{{.Architecture}} {{.OS}} {{.Variant}}' '{{.Config.Env}} {{.Config.Cmd}} {{.Config.Labels}}' '{{.RootFS}} {{len .History}}' '{{.Created}} {{.}}'; do
>     kiln image inspect --config --format "$format" oci:made:x >ours; skopeo inspect --config --format "$format" oci:made:x | diff ours -
> done
$ kiln image inspect --format '{{.Name}}{{.Variant}} {{.Created}}' oci:made:x >ours; skopeo inspect --format '{{.Name}} {{.Created}}' oci:made:x | diff ours -
$ printf '{"rootfs":{"type":"layers","diff_ids":[]},"config":{}}' >config; id=$(sha256sum <config | cut -c-64); mkdir bare; mv config bare/$id; echo 'Directory Transport Version: 1.1' >bare/version
$ printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":54},"layers":[]}' $(ls bare | head -n 1) >bare/manifest.json
$ for field in Name Digest RepoTags Created DockerVersion Labels Architecture Os Layers Env; do
>     format="{{.$field}} {{if .$field}}yes{{end}}"; kiln image inspect --format "$format" dir:bare >ours; skopeo inspect --format "$format" dir:bare | diff ours -
> done; cat ours
[] 
$ kiln image inspect --format '{{.Created}} {{.Labels}} {{.Labels.x}} {{.Variant}}' dir:bare
<nil> map[] <no value> 
$ kiln image inspect --raw --format '{{.Name}}' oci:made:x
! Error: cannot use --format: --raw prints the bytes as they are
! hint: leave one of them out
[125]
"#,
    );
}

#[test]
fn places_that_are_not_there_and_names_with_passwords_are_refused() {
    let test = "places_that_are_not_there_and_names_with_passwords_are_refused";
    let Some(env) = with_base(test) else { return };
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo
$ ./skopeo copy -q oci:layout docker-archive:nosuchdir/a
! Error: cannot write `nosuchdir/a`: No such file or directory (os error 2)
! hint: make its directory first: mkdir -p nosuchdir
[1]
$ ./skopeo copy -q oci:layout oci-archive:nosuchdir/a:x
! Error: cannot write `nosuchdir/a`: No such file or directory (os error 2)
! hint: make its directory first: mkdir -p nosuchdir
[1]
$ ./skopeo copy -q oci:layout docker://user:PASSWORD@h.example/x
! Error: cannot use the image name `…@h.example/x`: it has a user name or a password in it
! hint: leave them out, and log in with `kiln login -u NAME --password-stdin HOST`
[1]
$ ./skopeo copy -q oci:layout docker://user:PASS@WORD@h.example/x
! Error: cannot use the image name `…@h.example/x`: it has a user name or a password in it
! hint: leave them out, and log in with `kiln login -u NAME --password-stdin HOST`
[1]
$ ./skopeo inspect https://user:PASSWORD@h.example:5000/x
! Error: cannot use `https://…@h.example:5000/x`: it names no transport
! hint: write docker://https://…@h.example:5000/x for a registry, or containers-storage:https://…@h.example:5000/x for the store
[1]
$ kiln --progress json image inspect https://user:PASSWORD@share.example/x 2>&1 | grep -c PASSWORD
0
[1]
$ ./skopeo inspect --format '{{range .LayersData}}{{.Annotations}}{{end}}' oci:layout:localhost/base
map[]
"#,
    );
}

#[test]
fn a_place_where_one_may_not_write_is_told() {
    let Some(env) = with_base_for_user("a_place_where_one_may_not_write_is_told") else { return };
    tell(
        &env,
        r#"
$ kiln image copy -q oci:layout dir:/usr/x
! Error: cannot make the directory `/usr/x`: Permission denied (os error 13)
! hint: name a place where you may write
[125]
$ kiln image copy -q oci:layout oci:/usr/x:y
! Error: cannot make the OCI layout `/usr/x`: Permission denied (os error 13)
! hint: name a place where you may write
[125]
$ kiln image copy -q oci:layout oci-archive:/usr/x:y
! Error: cannot write `/usr/x`: Permission denied (os error 13)
! hint: name a place where you may write
[125]
$ kiln image copy -q oci:layout docker-archive:/usr/x
! Error: cannot write `/usr/x`: Permission denied (os error 13)
! hint: name a place where you may write
[125]
"#,
    );
}
