//! Stories of `kiln commit`: images are made: names, formats, times, layers.

use crate::support::{tell, with_base};

#[test]
fn an_image_is_made() {
    let Some(env) = with_base("an_image_is_made") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln commit one
<id-1>
$ kiln images --format '{{.Name}}:{{.Tag}} {{.ID}}' | sort
<none>:<none> <short-1>
localhost/base:latest <short-2>
$ kiln commit --timestamp 0 one made
<id-3>
$ kiln commit -q --timestamp 0 one localhost/made:latest
<id-3>
$ kiln commit -q --timestamp 0 one example.com/a/b:c
<id-3>
$ kiln images --format '{{.Name}}:{{.Tag}} {{.ID}}' | sort
<none>:<none> <short-1>
example.com/a/b:c <short-3>
localhost/base:latest <short-2>
localhost/made:latest <short-3>
"#,
    );
}

#[test]
fn the_id_goes_to_a_file() {
    let Some(env) = with_base("the_id_goes_to_a_file") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln commit -q --timestamp 0 --iidfile iid one made
$ cat iid; echo
sha256:<id-1>
$ kiln images --no-trunc --format '{{.ID}} {{.Name}}' made
sha256:<id-1> localhost/made
$ kiln commit -q --iidfile no/such/dir one
! Error: cannot write `no/such/dir`: No such file or directory (os error 2)
! hint: name a file in a directory that is there, and may be written to
[125]
"#,
    );
}

#[test]
fn the_container_goes_with_rm() {
    let Some(env) = with_base("the_container_goes_with_rm") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln mount one >/dev/null
$ kiln commit -q --rm --timestamp 0 one made
<id-1>
$ kiln containers
CONTAINER ID  BUILDER  IMAGE ID  IMAGE NAME  CONTAINER NAME
$ kiln mount
$ kiln from --name one base
one
$ kiln commit -q --rm one Not/A/Name
! Error: cannot use the image name `Not/A/Name`: an image name has no upper-case letters
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln containers --format '{{.ContainerName}}'
one
"#,
    );
}

#[test]
fn a_format_has_its_media_types() {
    let Some(env) = with_base("a_format_has_its_media_types") else { return };
    tell(
        &env,
        r#"
$ types() { kiln inspect --format '{{.Manifest}}' made | tr ',' '\n' | grep -o 'application/[a-z0-9.+-]*'; }
> kiln from --name one base >/dev/null; kiln from --name two --format docker base >/dev/null
> for words in one 'one --format docker' '-f oci one' two 'two --format oci'; do
>     echo "$words:"; kiln commit -q --timestamp 0 $words made >/dev/null; types
> done
one:
application/vnd.oci.image.manifest.v1+json
application/vnd.oci.image.config.v1+json
application/vnd.oci.image.layer.v1.tar+gzip
application/vnd.oci.image.layer.v1.tar
one --format docker:
application/vnd.docker.distribution.manifest.v2+json
application/vnd.docker.container.image.v1+json
application/vnd.docker.image.rootfs.diff.tar.gzip
application/vnd.docker.image.rootfs.diff.tar
-f oci one:
application/vnd.oci.image.manifest.v1+json
application/vnd.oci.image.config.v1+json
application/vnd.oci.image.layer.v1.tar+gzip
application/vnd.oci.image.layer.v1.tar
two:
application/vnd.docker.distribution.manifest.v2+json
application/vnd.docker.container.image.v1+json
application/vnd.docker.image.rootfs.diff.tar.gzip
application/vnd.docker.image.rootfs.diff.tar
two --format oci:
application/vnd.oci.image.manifest.v1+json
application/vnd.oci.image.config.v1+json
application/vnd.oci.image.layer.v1.tar+gzip
application/vnd.oci.image.layer.v1.tar
$ kiln commit -q --timestamp 0 --format docker one oci:out:x; kiln commit -q --format docker one made >/dev/null; kiln push -q made oci:out:y
<id-1>
$ grep -o 'application/[a-z0-9.+-]*' out/index.json
application/vnd.oci.image.index.v1+json
application/vnd.oci.image.manifest.v1+json
application/vnd.oci.image.manifest.v1+json
$ kiln commit --format zip one made
! Error: cannot use `--format=zip`: a format is `oci` or `docker`
! hint: see `kiln commit --help`
[125]
"#,
    );
}

#[test]
fn one_layer_over_the_base_or_one_in_all() {
    let Some(env) = with_base("one_layer_over_the_base_or_one_in_all") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ echo 1 >"$(kiln mount one)/1"; kiln commit -q --timestamp 0 one first
<id-1>
$ echo 2 >"$(kiln mount one)/2"; kiln commit -q --timestamp 0 one second
<id-2>
$ rm "$(kiln mount one)/1"; kiln commit -q --timestamp 0 one third
<id-3>
$ for name in base first second third; do kiln inspect --format '{{len .OCIv1.rootfs.diff_ids}} {{len .OCIv1.history}}' $name; done
1 1
2 2
2 2
2 2
$ kiln commit -q --timestamp 0 --squash one squashed
<id-4>
$ kiln inspect --format '{{len .OCIv1.rootfs.diff_ids}} {{len .OCIv1.history}} {{.OCIv1.Config.Env}}' squashed
1 1 [PATH=/bin KEPT=yes]
$ for name in base first second third squashed; do
>     c=$(kiln from $name); (cd "$(kiln mount "$c")"; find . -type f | sort | tr '\n' ' '; echo)
> done
./etc/hello.conf ./etc/passwd 
./1 ./etc/hello.conf ./etc/passwd 
./1 ./2 ./etc/hello.conf ./etc/passwd 
./2 ./etc/hello.conf ./etc/passwd 
./2 ./etc/hello.conf ./etc/passwd 
"#,
    );
}

#[test]
fn times_are_set_or_bounded() {
    let Some(env) = with_base("times_are_set_or_bounded") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one scratch
one
$ cd "$(kiln mount one)"; mkdir d; echo a >d/old; echo b >d/new; touch -d @500000000 d/old; touch -d @1500000000 d/new d
$ list() { rm -rf out; kiln push -qD "$1" oci:out:x; m=$(grep -o '[0-9a-f]\{64\}' out/index.json)
>     l=$(grep -o '[0-9a-f]\{64\}' "out/blobs/sha256/$m" | tail -n 1)
>     TZ=UTC tar -tvf "out/blobs/sha256/$l" --full-time | sed 's/  */ /g' | cut -d' ' -f4- | tr -- - /
>     kiln inspect --format '{{.OCIv1.created}} {{range .OCIv1.history}}{{.created}}{{end}}' "$1"; }
> for words in '--timestamp 1000000000' '--source-date-epoch 1000000000' '--source-date-epoch 1000000000 --rewrite-timestamp=false'; do
>     echo "$words:"; kiln commit -q $words one made >/dev/null; list made | tr -- - /
> done
> echo SOURCE_DATE_EPOCH:; SOURCE_DATE_EPOCH=1000000000 kiln commit -q one made >/dev/null; list made | tr -- - /
--timestamp 1000000000:
2001/09/09 01:46:40 d/
2001/09/09 01:46:40 d/new
2001/09/09 01:46:40 d/old
2001/09/09T01:46:40Z 2001/09/09T01:46:40Z
--source-date-epoch 1000000000:
2001/09/09 01:46:40 d/
2001/09/09 01:46:40 d/new
1985/11/05 00:53:20 d/old
2001/09/09T01:46:40Z 2001/09/09T01:46:40Z
--source-date-epoch 1000000000 --rewrite-timestamp=false:
2017/07/14 02:40:00 d/
2017/07/14 02:40:00 d/new
1985/11/05 00:53:20 d/old
2001/09/09T01:46:40Z 2001/09/09T01:46:40Z
SOURCE_DATE_EPOCH:
2001/09/09 01:46:40 d/
2001/09/09 01:46:40 d/new
1985/11/05 00:53:20 d/old
2001/09/09T01:46:40Z 2001/09/09T01:46:40Z
$ stat -c '%n %Y' "$(kiln mount one)"/d/* | sed 's|.*/d/||'
new 1500000000
old 500000000
"#,
    );
}

#[test]
fn equal_content_gives_an_equal_id() {
    let Some(env) = with_base("equal_content_gives_an_equal_id") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one scratch; kiln from --name two scratch
one
two
$ m=$(kiln mount one); echo a >$m/a; echo b >$m/b; mkdir $m/d; echo c >$m/d/c; ln $m/a $m/hard
$ m=$(kiln mount two); umask 077; mkdir -m 755 $m/d; echo c >$m/d/c; echo b >$m/b; echo gone >$m/gone; kiln commit -q two >/dev/null
$ m=$(kiln mount two); rm $m/gone; echo a >$m/hard; ln $m/hard $m/a; chmod 644 $m/a $m/b $m/d/c
$ kiln config --env A=b --label x=y one; kiln config --label x=y two; kiln config --env A=b two
$ kiln commit -q --timestamp 0 one; kiln commit -q --timestamp 0 two
<id-1>
<id-1>
$ kiln commit -q --timestamp 1 two
<id-2>
"#,
    );
}

#[test]
fn what_cannot_be_committed() {
    let Some(env) = with_base("what_cannot_be_committed") else { return };
    tell(
        &env,
        r#"
$ kiln commit
! Error: cannot do `kiln commit`: <CONTAINER> is missing
! hint: it is used so: kiln commit <CONTAINER> [IMAGE]
[125]
$ kiln commit nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln commit nosuch name
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln from --name one base
one
$ kiln commit one Upper
! Error: cannot use the image name `Upper`: an image name has no upper-case letters
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln commit one a:b:c
! Error: cannot use the image name `a:b:c`: a tag has up to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
$ kiln commit one x@sha256:0000000000000000000000000000000000000000000000000000000000000000
! Error: cannot commit to `localhost/x@sha256:<id-1>`: a digest is not given, it follows from the content
[125]
$ kiln commit --retry 0 one docker://localhost:1/x
! Writing layer of one
! Error: cannot talk to `localhost:1`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost:1`
[125]
$ kiln commit --nosuch one
! Error: cannot understand `--nosuch`: `kiln commit` has no such flag
! hint: see `kiln commit --help`
[125]
$ kiln commit --timestamp x one
! Error: cannot use `--timestamp=x`: invalid digit found in string
! hint: see `kiln commit --help`
[125]
$ kiln commit --timestamp 1 --source-date-epoch 1 one
! Error: cannot use `--timestamp` and `--source-date-epoch` together
! hint: see `kiln commit --help`
[125]
$ kiln commit --rewrite-timestamp one
! Error: cannot rewrite timestamps: --rewrite-timestamp needs a time that no file may be later than
! hint: add --source-date-epoch SECONDS
[125]
$ SOURCE_DATE_EPOCH=now kiln commit one
! Error: cannot use SOURCE_DATE_EPOCH=`now`: invalid digit found in string
! hint: SOURCE_DATE_EPOCH is a whole number of seconds since 1970
[125]
$ kiln commit one a b
! Error: cannot understand `b`: `kiln commit` takes no further word
! hint: see `kiln commit --help`
[125]
$ kiln commit one oci:/proc/nosuch:x
! Error: cannot make the OCI layout `/proc/nosuch`: No such file or directory (os error 2)
[125]
$ kiln images --format '{{.Name}}'
localhost/base
"#,
    );
}

#[test]
fn a_location_is_written_to() {
    let Some(env) = with_base("a_location_is_written_to") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln commit -q --timestamp 0 one oci:out:made
<id-1>
$ kiln commit -q --timestamp 0 one same
<id-1>
$ kiln images --format '{{.Name}} {{.ID}}' | sort
localhost/base <short-2>
localhost/same <short-1>
$ kiln --root elsewhere pull -q oci:out:made
<id-1>
"#,
    );
}

#[test]
fn a_commit_to_a_layout_is_compressed_only_if_that_is_asked_for() {
    let test = "a_commit_to_a_layout_is_compressed_only_if_that_is_asked_for";
    let Some(env) = with_base(test) else { return };
    env.ok(["from", "--name", "c", "base"]);
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let cases: [(&[&str], &str); 6] = [
        (&[], "application/vnd.oci.image.layer.v1.tar"),
        (&["-D"], "application/vnd.oci.image.layer.v1.tar"),
        (&["-D=false"], gzip),
        (&["--compression-format", "gzip"], gzip),
        (&["--compression-format", "zstd"], "application/vnd.oci.image.layer.v1.tar+zstd"),
        (
            &["--disable-compression=true", "--compression-format", "zstd"],
            "application/vnd.oci.image.layer.v1.tar",
        ),
    ];
    for (flags, expected) in cases {
        env.ok([&["commit", "-q"], flags, &["c", "oci:out:x"]].concat());
        env.ok(["pull", "-q", "oci:out:x"]);
        let manifest = env.ok(["inspect", "--type", "image", "--format", "{{.Manifest}}", "x"]);
        let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("a manifest");
        let last = manifest["layers"].as_array().and_then(|layers| layers.last()).expect("a layer");
        assert_eq!(last["mediaType"], expected, "{flags:?}");
    }
}

#[test]
fn the_image_is_changed_and_the_container_is_not() {
    let Some(env) = with_base("the_image_is_changed_and_the_container_is_not") else { return };
    env.write("config.json", r#"{"User": "u", "Env": ["C=3"], "Labels": {"from": "file"}}"#);
    env.write("broken.json", "{");
    tell(
        &env,
        r#"
$ kiln from --name one base; kiln config --env A=1 --env B=2 --annotation x=1 --annotation y=2 one
one
$ kiln commit -q --change 'CMD ["a", "b"]' -c 'ENV D="4 5" PATH=$PATH:/d' -c 'LABEL l=m' -c 'HEALTHCHECK --interval=5s CMD x' --config config.json --unsetenv A,KEPT --annotation z=3 --unsetannotation x one made >out
$ kiln inspect --type image --format '{{json .OCIv1.Config}}' made
{"User":"u","Env":["PATH=/bin:/d","B=2","C=3","D=4 5"],"Cmd":["a","b"],"Healthcheck":{"Test":["CMD-SHELL","x"],"Interval":5000000000},"Labels":{"from":"file","l":"m","of":"base"}}
$ kiln inspect --type image --format '{{json .ImageAnnotations}}' made | sed 's/"20[^"]*"/"<now>"/'
{"org.opencontainers.image.base.digest":"sha256:<id-1>","org.opencontainers.image.base.name":"localhost/base:latest","org.opencontainers.image.created":"<now>","y":"2","z":"3"}
$ kiln inspect --format '{{.OCIv1.Config.Env}} {{.OCIv1.Config.Cmd}} {{json .ImageAnnotations}}' one
[PATH=/bin KEPT=yes A=1 B=2] [/bin/sh] {"x":"1","y":"2"}
$ kiln commit -q --omit-history --created-annotation=false --identity-label one plain >out; kiln inspect --type image --format '{{json .OCIv1.History}} {{json .OCIv1.Config.Labels}} {{json .ImageAnnotations}}' plain
[] {"io.buildah.version":"1.45.0","of":"base"} {"org.opencontainers.image.base.digest":"sha256:<id-1>","org.opencontainers.image.base.name":"localhost/base:latest","x":"1","y":"2"}
$ kiln commit -q --timestamp 0 --metadata-file meta --iidfile id one registry.example/x:y; cat meta; cat id; echo
{
  "containerimage.config.digest": "sha256:<id-2>",
  "containerimage.descriptor": {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": "sha256:<id-3>",
    "size": 815
  },
  "containerimage.digest": "sha256:<id-3>",
  "image.name": "registry.example/x:y"
}sha256:<id-2>
$ touch -d @1234 then; kiln commit -q --reference-time then one a >out; kiln inspect --type image --format '{{.OCIv1.Created}}' a; kiln commit -q --omit-timestamp one b >out; kiln inspect --type image --format '{{.OCIv1.Created}}' b
<time>
<time>
$ BUILDAH_FORMAT=docker kiln commit -q one c >out; kiln inspect --type image --format '{{.Manifest}}' c | grep -o 'docker.distribution.manifest.v2'
docker.distribution.manifest.v2
$ kiln commit --change 'RUN x' one
! Error: cannot make the change `RUN x`: this instruction changes more than the config
! hint: a change is one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, MAINTAINER, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR: --change 'CMD ["/bin/sh"]'
[125]
$ kiln commit --change nosuch one
! Error: cannot make the change `nosuch`: there is no instruction `nosuch`
! hint: a change is one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, MAINTAINER, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR: --change 'CMD ["/bin/sh"]'
[125]
$ kiln commit --config broken.json one
! Error: cannot read the config `broken.json`: EOF while parsing an object at line 1 column 1
! hint: give the JSON of an image's `config`, such as {"Cmd": ["/bin/sh"], "Env": ["A=b"]}
[125]
$ kiln commit --config nosuch.json one
! Error: cannot read the config `nosuch.json`: No such file or directory (os error 2)
! hint: name a JSON file: --config FILE
[125]
$ kiln commit --annotation x one
! Error: cannot set the annotation `x`: it is not NAME=VALUE
! hint: --annotation x=VALUE
[125]
$ kiln commit --sbom syft one
! Error: cannot use `--sbom`: Kiln neither encrypts nor signs nor scans images
! hint: scan the image afterwards: kiln push IMAGE oci:DIR, then a scanner on DIR
[125]
$ kiln commit --cw type=snp one
! Error: cannot use `--cw`: Kiln neither encrypts nor signs nor scans images
! hint: make the workload of the committed image with a tool for that
[125]
$ kiln commit --encryption-key jwe:key one
! Error: cannot use `--encryption-key`: Kiln neither encrypts nor signs nor scans images
! hint: encrypt the layout it is pushed to: kiln push IMAGE oci:DIR, then a tool for that
[125]
$ kiln commit --sign-by me one
! Error: cannot use `--sign-by`: Kiln neither encrypts nor signs nor scans images
! hint: sign it where it is pushed to, with a tool for that
[125]
$ kiln commit --reference-time nosuch one
! Error: cannot use the time of `nosuch`: No such file or directory (os error 2)
! hint: name a file that is there, or give the time itself: --timestamp SECONDS
[125]
$ BUILDAH_FORMAT=zip kiln commit one
! Error: cannot use BUILDAH_FORMAT=`zip`: a format is `oci` or `docker`
! hint: set it to `oci` or `docker`, or unset it
[125]
"#,
    );
}

#[test]
fn lists_and_files_are_added_to() {
    let Some(env) = with_base("lists_and_files_are_added_to") else { return };
    env.write("config.json", "{}");
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln commit -q --manifest both --timestamp 0 one l1 >out; kiln commit -q --manifest both --timestamp 1 one l2 >out; kiln inspect --type manifest --format '{{.mediaType}} {{len .manifests}} {{(index .manifests 0).platform.architecture}}' both
application/vnd.oci.image.index.v1+json 2 amd64
$ echo added >more; kiln commit -q --add-file more:/etc/deep/more --add-file config.json one with >out; kiln from --name with with; kiln unshare --mount with sh -c 'cd $with; find . -type f | sort; cat etc/deep/more; stat -c "%U %a" etc'
with
.<dir>/files/config.json
./etc/deep/more
./etc/hello.conf
./etc/passwd
added
root 755
$ kiln unshare --mount one sh -c 'test -e $one/etc/deep || echo not there'; kiln containers -n --format '{{.ContainerName}}'
not there
one
with
$ kiln commit --add-file nosuch one
! Error: cannot add the file `nosuch`: No such file or directory (os error 2)
! hint: --add-file FILE:/WHERE/IN/THE/IMAGE
[125]
$ kiln commit --add-file /etc:/x one
! Error: cannot add the file `/etc:/x`: `/etc` is not a regular file
! hint: a directory is copied with `kiln copy`
[125]
$ kiln commit -q --compression-format gzip --compression-level 1 one oci:small:x >out; ls small
blobs
index.json
oci-layout
$ kiln commit --compression-format zstd --compression-level 99 one oci:small:x
! Error: cannot compress at level 99
! hint: zstd has levels up to 22
[125]
$ kiln inspect --type manifest l1 | head -n 3
{
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
"#,
    );
}
