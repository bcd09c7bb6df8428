//! Stories of how layers are compressed on their way: forms, levels, tables of contents, and what is not sent again.

use crate::support::fake::{Fake, Reply};
use crate::support::registry::{Setup, with_registry};
use crate::support::{Need, needs, tell, with_base};

#[test]
fn a_form_that_is_asked_for_is_every_layers() {
    let Some(env) = with_base("a_form_that_is_asked_for_is_every_layers") else { return };
    env.write(
        "forms",
        "#!/bin/sh\nskopeo inspect --raw $1 | grep -o 'tar[.+]*[a-z]*\"' | tr -d '\"' | xargs\n"
            .replace("skopeo inspect", "kiln image inspect"),
    );
    tell(
        &env,
        r#"
$ chmod +x forms; c=$(kiln from base); kiln copy -q $c forms /new; kiln commit -q $c made >/dev/null
$ kiln push -q made oci:a:x; ./forms oci:a:x
tar+gzip tar+gzip
$ kiln push -q --compression-format zstd made oci:b:x; ./forms oci:b:x
tar+zstd tar+zstd
$ kiln push -q --compression-format zstd made oci:a:y; ./forms oci:a:y
tar+zstd tar+zstd
$ c=$(kiln from base); kiln commit -q --compression-format zstd:chunked $c oci:table:x >/dev/null; kiln image inspect --raw oci:table:x | grep -o manifest-position | wc -l
1
$ kiln push -q made oci:d:x; kiln push -q --compression-format zstd --force-compression=false made oci:d:y; ./forms oci:d:y
tar+gzip tar+gzip
$ kiln push -q --force-compression made oci:e:x; ./forms oci:e:x
tar+gzip tar+gzip
$ printf '[engine]\ncompression_format = "zstd"\ncompression_level = 9\n' >conf; CONTAINERS_CONF=conf kiln push -q made oci:f:x; ./forms oci:f:x
tar+zstd tar+zstd
$ CONTAINERS_CONF=conf kiln push -q --compression-format gzip made oci:g:x; ./forms oci:g:x
tar+gzip tar+gzip
$ CONTAINERS_CONF=conf kiln push -q -D made oci:h:x; ./forms oci:h:x
tar+gzip tar
$ printf '[engine]\ncompression_format = "lzma"\n' >conf; CONTAINERS_CONF=conf kiln push -q made oci:i:x
! Error: cannot use compression_format=`lzma`: write `gzip`, `zstd` or `zstd:chunked`
! hint: correct it in containers.conf, or name another file with CONTAINERS_CONF=FILE
[125]
$ printf '[engine]\ncompression_level = 12\n' >conf; CONTAINERS_CONF=conf kiln push -q made oci:i:x
! Error: cannot use compression_level=`12`: gzip has no such level
! hint: correct it in containers.conf, or name another file with CONTAINERS_CONF=FILE
[125]
$ CONTAINERS_CONF=conf kiln push -q --compression-format zstd made oci:i:x; kiln push -q --compression-format zstd --compression-level 23 made oci:i:x
! Error: cannot compress at level 23
! hint: zstd has levels up to 22
[125]
"#,
    );
}

// Debian's Podman reads the table under the name its annotations had before.
#[test]
fn layers_with_a_table_are_read_by_others() {
    let test = "layers_with_a_table_are_read_by_others";
    if !needs(test, &[Need::Program("skopeo"), Need::Program("podman"), Need::Program("zstd")]) {
        return;
    }
    let Some((env, _registry)) = with_registry(test, Setup::default()) else { return };
    env.write("policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    tell(
        &env,
        r#"
$ mkdir dir; head -c 3000000 /dev/urandom >dir/large; echo small >dir/small; ln -s small dir/link; : >dir/empty; c=$(kiln from base); kiln copy -q $c dir /dir; kiln commit -q $c made >/dev/null
$ kiln push -q --tls-verify=false --compression-format zstd:chunked made docker://$R/made; kiln image inspect --tls-verify=false --raw docker://$R/made | grep -o 'zstd-chunked.[a-z-]*' | sort | uniq -c | sed 's/^ *//'
2 zstd-chunked.manifest-checksum
2 zstd-chunked.manifest-position
2 zstd-chunked.tarsplit-position
$ skopeo --policy policy.json copy -q --src-tls-verify=false docker://$R/made oci:theirs:x; test "$(skopeo inspect --format '{{.Digest}}' oci:theirs:x)" = "$(kiln image inspect --tls-verify=false --format '{{.Digest}}' docker://$R/made)"
$ for layer in $(kiln image inspect --format '{{range .Layers}}{{.}} {{end}}' oci:theirs:x); do zstd -qdc theirs/blobs/sha256/${layer#sha256:} | sha256sum | cut -c1-64; done >diffs; kiln image inspect --config oci:theirs:x | grep -o 'sha256:[0-9a-f]*' | cut -d: -f2 | diff diffs -
$ kiln image copy -q --src-tls-verify=false docker://$R/made dir:renamed; sed -i s/io.github.containers.zstd/io.containers.zstd/g renamed/manifest.json; kiln image copy -q --dest-tls-verify=false dir:renamed docker://$R/renamed
$ short=$(mktemp -d /dev/shm/kiln-p.XXXXXX); printf '[storage]\ndriver = "overlay"\nrunroot = "%s"\ngraphroot = "%s/graph"\n[storage.options]\npull_options = {enable_partial_images = "true"}\n' $short $PWD >storage.conf; CONTAINERS_STORAGE_CONF=storage.conf podman --log-level debug pull --tls-verify=false --signature-policy policy.json $R/renamed 2>&1 | grep -c 'Retrieved partial blob'; diff -r --no-dereference dir $(dirname $(find graph/overlay/*/diff/dir/large)); rm -rf $short
2
$ kiln push -q --tls-verify=false --compression-format zstd:chunked made docker://$R/made; kiln rmi -fa >/dev/null; kiln pull -q --tls-verify=false $R/made
<id-1>
$ diff -r --no-dereference dir $(kiln mount $(kiln from $R/made))/dir
$ kiln push -q --compression-format zstd $R/made oci:kept:x; kiln image inspect --raw oci:kept:x | grep -c manifest-position
1
$ kiln push -q $R/made oci:asis:x; kiln push -q --compression-format gzip $R/made oci:gzip:x; kiln image inspect --raw oci:asis:x | grep -c manifest-position; kiln image inspect --raw oci:gzip:x | grep -c manifest-position
1
0
[1]
"#,
    );
}

#[test]
fn lists_have_images_in_a_second_form() {
    let test = "lists_have_images_in_a_second_form";
    let Some((env, _registry)) = with_registry(test, Setup::default()) else { return };
    tell(
        &env,
        r#"
$ kiln manifest create list base >/dev/null; kiln manifest push -q --tls-verify=false --add-compression zstd list docker://$R/list
$ kiln image inspect --tls-verify=false --raw docker://$R/list >index; grep -o '"digest"' index | wc -l; grep -o 'compression.zstd":"true' index
2
compression.zstd":"true
$ for digest in $(grep -o 'sha256:[0-9a-f]*' index); do kiln image inspect --tls-verify=false --raw docker://$R/list@$digest | grep -o 'layer.v1.tar+[a-z]*'; done
layer.v1.tar+gzip
layer.v1.tar+zstd
$ kiln manifest create again docker://$R/list --all --tls-verify=false >/dev/null; kiln manifest push -q --tls-verify=false --add-compression zstd again docker://$R/again; kiln image inspect --tls-verify=false --raw docker://$R/again | grep -o '"digest"' | wc -l
2
$ kiln manifest push -q --tls-verify=false --add-compression gzip,zstd:chunked list dir:out; ls out | grep -c manifest.json
3
$ kiln push -q --compression-format zstd base oci:forms:zstd; kiln push -q base oci:forms:gzip
$ kiln manifest create both oci:forms:zstd >/dev/null; kiln manifest add both oci:forms:gzip >/dev/null
$ kiln manifest push -q --add-compression zstd both dir:unmarked; grep -o '"digest"' unmarked/manifest.json | wc -l
2
$ kiln manifest push -q --add-compression xz list dir:none
! Error: cannot use `--add-compression=xz`: write `gzip`, `zstd` or `zstd:chunked`
! hint: see `kiln manifest --help`
[125]
"#,
    );
}

#[test]
fn what_the_registry_has_is_not_sent_again() {
    let test = "what_the_registry_has_is_not_sent_again";
    let Some((env, registry)) = with_registry(test, Setup::default()) else { return };
    let front = crate::support::fake::Front::start(&registry.host);
    let target = format!("docker://{}/made", front.host);
    env.shell("c=$(kiln from base); echo new >new; kiln copy -q $c new /new; kiln commit -q $c made")
        .expect_ok("an image");
    let push = |more: &[&str]| {
        front.forget();
        let flags = ["push", "-q", "--tls-verify=false", "made", &target];
        env.ok(flags.iter().chain(more));
        front.asked()
    };
    assert!(push(&[]).iter().any(|line| line.starts_with("PUT ")));
    // One look at the manifest, and no blob is asked for.
    let again = push(&[]);
    assert_eq!(again.len(), 1, "{again:?}");
    assert!(again[0].starts_with("HEAD /v2/made/manifests/latest "), "{again:?}");
    // The same layers under another name: they are there, and are neither sent nor made.
    let other = format!("docker://{}/made:other", front.host);
    front.forget();
    env.ok(["push", "-q", "--tls-verify=false", "made", &other]);
    let sent: Vec<_> = front.asked().into_iter().filter(|line| line.starts_with("P")).collect();
    assert!(sent.iter().all(|line| line.contains("/manifests/")), "{sent:?}");
    // A level is a reason to compress again, once; what was made at another is remembered as well.
    let level = |level: u32| {
        env.write("conf", format!("[engine]\ncompression_level = {level}\n"));
        front.forget();
        let push = format!("CONTAINERS_CONF=conf kiln push -q --tls-verify=false made {other}");
        env.shell(&push).expect_ok("a push");
        front.asked().iter().filter(|line| line.starts_with("POST")).count()
    };
    assert_eq!([level(9), level(9), level(8), level(9), level(5)], [1, 0, 1, 0, 0]);
    // A layer that changes its form is made first where that is asked for, and then found there.
    let zstd = ["--dest-compress-format", "zstd", "--dest-tls-verify=false", "--dest-precompute-digests"];
    let copy = |more: &[&str]| {
        front.forget();
        let start = ["image", "copy", "-q", "oci:layout"];
        env.ok(start.iter().chain(more).chain(&[other.as_str()]));
        front.asked().iter().filter(|line| line.starts_with("POST")).count()
    };
    // The config and the layer.
    assert_eq!(copy(&zstd), 2);
    assert_eq!(copy(&zstd), 0);
    assert_eq!(copy(&zstd[..3]), 1);
}

#[test]
fn a_registry_takes_blobs_from_its_other_repositories() {
    let Some(env) = with_base("a_registry_takes_blobs_from_its_other_repositories") else { return };
    // A registry that wants tokens, and mounts or does not.
    let registry = |mounts: bool| {
        Fake::start(move |asked| {
            if asked.path.starts_with("/token") {
                return Reply::new(200, r#"{"token":"t"}"#);
            }
            if asked.header("authorization").is_none() {
                let realm =
                    format!("Bearer realm=\"http://{}/token\"", asked.header("host").unwrap_or_default());
                return Reply::new(401, "").header("WWW-Authenticate", realm);
            }
            match asked.method.as_str() {
                "HEAD" => Reply::new(404, ""),
                "POST" if mounts && asked.path.contains("mount=") => Reply::new(201, ""),
                "POST" => Reply::new(202, "").header("Location", "/up?state=1"),
                "PATCH" => Reply::new(202, "").header("Location", "/up?state=2"),
                "DELETE" => Reply::new(204, ""),
                _ => Reply::new(201, ""),
            }
        })
    };
    for mounts in [true, false] {
        let fake = registry(mounts);
        env.ok(["tag", "base", &format!("{}/team/old:1", fake.host)]);
        let target = format!("docker://{}/new", fake.host);
        env.ok(["push", "-q", "--tls-verify=false", "base", &target]);
        let seen = fake.seen();
        let mounted = seen.iter().find(|asked| asked.path.contains("mount=")).expect("a mount is asked for");
        assert!(mounted.path.contains("&from=team%2Fold"), "{}", mounted.path);
        let scopes = "scope=repository%3Anew%3Apull%2Cpush&scope=repository%3Ateam%2Fold%3Apull";
        assert!(seen.iter().any(|asked| asked.path.contains(scopes)), "{seen:?}");
        let layers = seen.iter().filter(|asked| asked.method == "PUT" && asked.path.contains("digest="));
        // The config is sent in any case.
        assert_eq!(layers.count(), if mounts { 1 } else { 2 }, "{seen:?}");
        env.ok(["rmi", &format!("{}/team/old:1", fake.host)]);
    }
}
