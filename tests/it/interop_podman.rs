//! Podman with the images that Kiln made, pulled and built, in the storage both share: it runs, shows and pushes them.

use crate::support::podman::with_runs;
use crate::support::{Env, Need, needs, tell, tell_as_buildah};

fn as_root(test: &str) -> Option<Env> {
    with_runs(test, || Some(Env::new()), "overlay")
}

fn as_user(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Program("newuidmap")]) {
        return None;
    }
    with_runs(test, || Env::for_user(test), "overlay")
}

/// An image of each way to make one, and Podman running it.
const SESSION: &str = r#"
$ buildah pull -q oci:layout:localhost/base >/dev/null; podman run $RUN base echo pulled
pulled
$ buildah from base
base-working-container
$ buildah run base-working-container sh -c 'mkdir /new; echo committed >/new/file; rm -r /home; chown 5:6 /new/file'
$ buildah config --entrypoint '["/bin/sh", "-c"]' --cmd '"cat /new/file; stat -c %u:%g /new/file; echo $A"' --env A=b --user 1000 base-working-container
$ buildah commit -q --timestamp 0 base-working-container made >/dev/null; podman run $RUN made
committed
5:6
b
$ podman run $RUN --entrypoint ls made -d /new /home
/new
! ls: /home: No such file or directory
[1]
$ printf 'FROM made\nUSER 0\nRUN echo built >/built\nUSER 1000\nCOPY layout/oci-layout /data/\nCMD ["cat /built /data/oci-layout; id -u"]\n' >Dockerfile
$ buildah build -q -t built . >/dev/null; podman run $RUN built
built
{"imageLayoutVersion":"1.0.0"}1000
"#;

#[test]
fn podman_runs_what_was_pulled_committed_and_built() {
    let Some(env) = as_root("interop_podman::podman_runs_what_was_pulled_committed_and_built") else {
        return;
    };
    tell_as_buildah(&env, SESSION);
    tell(
        &env,
        r#"
$ podman inspect --format '{{.Config.Entrypoint}} {{.Config.Env}} {{.User}} {{len .RootFS.Layers}}' built
[/bin/sh -c] [PATH=/bin A=b] 1000 3
$ podman image tree made | sed 's/ID: [0-9a-f]*/ID/; s/Size: *[0-9.]*[kM]*B/Size/' | grep '[a-z]'
Image ID
Tags:     [localhost/made:latest]
Size
Image Layers
├── ID Size Top Layer of: [localhost/base:latest]
└── ID Size Top Layer of: [localhost/made:latest]
$ buildah from --name theirs localhost/built; cat $(buildah mount theirs)/built; buildah rm theirs >/dev/null
theirs
built
$ kiln rm -a >/dev/null; kiln rmi -a -f >/dev/null; podman images -q
"#,
    );
}

#[test]
fn an_ordinary_users_podman_runs_them_too() {
    let Some(env) = as_user("interop_podman::an_ordinary_users_podman_runs_them_too") else { return };
    tell_as_buildah(&env, SESSION);
    env.shell("kiln rm -a >/dev/null; kiln rmi -a -f >/dev/null; test -z \"$(podman images -q)\"")
        .expect_ok("the end");
}

#[test]
fn what_podman_pushes_is_what_kiln_pushes() {
    let Some(env) = as_root("interop_podman::what_podman_pushes_is_what_kiln_pushes") else { return };
    env.shell(
        // Of layers that came compressed the storage keeps no such form.
        "kiln image copy -q --dest-decompress oci:layout:localhost/base oci:plain:localhost/base
        kiln pull -q oci:plain:localhost/base >/dev/null
        c=$(kiln from base); kiln run $c sh -c 'echo made >/made; rm /bin/yes'; kiln commit -q $c made >/dev/null
        printf 'FROM made\\nRUN echo built >/built\\n' >Dockerfile; kiln build -q -t built . >/dev/null
        for image in base made built; do
            digest=$(kiln image inspect --format '{{.Digest}}' containers-storage:$image)
            test $digest = $(podman image inspect --format '{{.Digest}}' $image)
            test $digest = $(kiln images --no-trunc --format '{{.Digest}}' $image)
            podman push -q $image dir:theirs >/dev/null; kiln push -q --disable-compression $image dir:ours
            cmp theirs/manifest.json ours/manifest.json; rm theirs/version ours/version
            diff -r theirs ours; rm -r theirs ours
        done
        kiln rm -a >/dev/null",
    )
    .expect_ok("the same digests");
}

#[test]
fn names_move_together() {
    let Some(env) = as_root("interop_podman::names_move_together") else { return };
    tell(
        &env,
        r#"
$ skopeo --policy policy.json copy -q oci:layout:localhost/base containers-storage:localhost/base
$ kiln from base; kiln rename base-working-container other; podman ps -a --external --format '{{.Names}}'
base-working-container
other
$ buildah from --name taken scratch >/dev/null; kiln rename other taken; kiln rename taken last; podman ps -a --external --format '{{.Names}}' | sort
last
taken
$ buildah rm taken >/dev/null; podman rmi base 2>&1 | grep -c 'in use by a container'
1
$ podman rm last >/dev/null; podman ps -a --external -q
$ kiln run last true; kiln rm last >/dev/null
$ podman tag base second; kiln rmi base; podman images --format '{{.Repository}}'
untagged: localhost/base:latest
localhost/second
$ podman rmi second >/dev/null; kiln images -q
"#,
    );
}

#[test]
fn lists_of_images_are_seen_by_both() {
    let Some(env) = as_root("interop_podman::lists_of_images_are_seen_by_both") else { return };
    env.write(
        "Dockerfile",
        "FROM scratch\nARG TARGETARCH\nCOPY policy.json /$TARGETARCH\nLABEL arch=$TARGETARCH\n",
    );
    let digests = "jq -r '.manifests[] | .digest + \" \" + .platform.architecture'";
    tell_as_buildah(
        &env,
        &r#"
$ buildah build -q --platform linux/amd64,linux/arm64 --manifest multi . >/dev/null; podman images --format '{{.Repository}}' | sort
<none>
<none>
localhost/multi
$ podman manifest inspect multi | DIGESTS >digests; buildah manifest inspect multi | DIGESTS | diff - digests; cut -d' ' -f2 digests
amd64
arm64
$ podman manifest push -q --all multi oci:theirs:x; buildah manifest push -q --all multi oci:ours:x
$ for tool in ours theirs; do skopeo inspect --raw oci:$tool:x | jq -c '[.manifests[].platform.architecture]'; done
["amd64","arm64"]
["amd64","arm64"]
$ podman image inspect --format '{{.Labels.arch}}' multi; buildah from --name c multi; buildah rm c >/dev/null
amd64
c
$ podman manifest create other >/dev/null; buildah manifest inspect other | jq -c .manifests
[]
$ skopeo --policy policy.json copy -q oci:layout:localhost/base containers-storage:localhost/base
$ podman manifest add other containers-storage:localhost/base >/dev/null
$ buildah manifest inspect other | DIGESTS | cut -d' ' -f2; buildah manifest exists other; buildah images --format '{{.Name}}' | sort
amd64
<none>
<none>
localhost/base
localhost/multi
localhost/other
$ buildah manifest add --arch s390x other $(podman images -q base | head -c 12) >/dev/null; podman manifest inspect other | DIGESTS | cut -d' ' -f2
s390x
$ podman manifest add --arch ppc64 other containers-storage:localhost/base >/dev/null; buildah manifest inspect other | DIGESTS | cut -d' ' -f2
ppc64
$ buildah manifest annotate --variant v9 other base >/dev/null; podman manifest inspect other | grep -o '"variant.*'
"variant": "v9"
$ buildah manifest remove other $(podman image inspect --format '{{.Digest}}' base) >/dev/null; podman manifest inspect other | jq -c .manifests
null
$ buildah tag other tagged; podman tag other third; buildah rmi other; podman images --format '{{.Repository}}' | grep -v none | sort
untagged: localhost/other:latest
localhost/base
localhost/multi
localhost/tagged
localhost/third
$ buildah manifest create fresh base >/dev/null; podman manifest inspect fresh | DIGESTS | wc -l; podman manifest create fresh 2>&1 | grep -c 'already in use'
1
1
$ buildah rmi tagged third multi >/dev/null; podman images --format '{{.Repository}}' | sort
localhost/base
localhost/fresh
$ podman manifest rm fresh >/dev/null; buildah rmi -a -f >/dev/null; podman images -q
"#
        .replace("DIGESTS", digests),
    );
}
