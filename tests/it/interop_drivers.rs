//! Drivers of the storage that Podman shares: vfs, which Kiln reads and writes as well; others, which Podman itself
//! does; and files that cannot have second names there, and share their extents instead.

use crate::support::podman::{share, share_with, with_runs};
use crate::support::{Env, Need, images, needs, tell};

/// An image of every sort of change over the base, `sorts`, in Kiln's own store.
const SORTS: &str = "c=$(kiln from oci:layout:localhost/base); m=$(kiln mount $c)
    rm -r $m/etc; mkdir $m/etc; echo x >$m/etc/x; rm $m/bin/yes; rm $m/bin/rm; mkdir $m/bin/rm
    ln $m/etc/x $m/etc/hard; ln -s x $m/etc/soft; mkfifo $m/fifo; setfattr -n user.k -v v $m/etc/x
    ln $m/bin/busybox $m/bin/second; long=$(printf 'long%.0s' $(seq 40)); mkdir -p $m/$long
    head -c 5000 /dev/zero >$m/$long/$long; chown 5:6 $m/$long; chmod 2751 $m/$long; touch -d @5 $m/bin
    kiln umount $c >/dev/null; kiln commit -q --timestamp 7 $c first >/dev/null
    m=$(kiln mount $c); rm $m/etc/x; echo y >$m/y; kiln umount $c >/dev/null
    d=$(kiln from first); m=$(kiln mount $d); rm -r $m/etc/soft $m/bin/second; ln $m/y $m/z 2>/dev/null || echo z >$m/z
    kiln umount $d >/dev/null; kiln commit -q --timestamp 7 $d sorts >/dev/null; kiln rm $c $d >/dev/null";

#[test]
fn the_driver_vfs_is_written_and_read() {
    let test = "interop_drivers::the_driver_vfs_is_written_and_read";
    if !needs(test, &[Need::Root, Need::Busybox])
        || !needs(test, &["podman", "skopeo", "jq", "getfattr"].map(Need::Program))
    {
        return;
    }
    let mut env = Env::new();
    share(&mut env);
    env.set("KILN_PODMAN", "0");
    env.set("place", format!("containers-storage:[vfs@{0}/vfs+{0}/v]", env.path("").display()));
    env.set(
        "podman",
        format!("podman --root {0}/vfs --runroot {0}/v --storage-driver vfs", env.path("").display()),
    );
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a static busybox");
    env.shell(SORTS).expect_ok("the image");
    // What Podman makes of the same layers has the same files, down to the last attribute.
    env.shell(
        "look() { (cd $1; all='%P %y %m %U %G %T@'
            find . -mindepth 1 -type d -printf \"$all\\n\" -o -printf \"$all %s %l\\n\" | sort
            find . -type f -exec sha256sum {} + -exec getfattr -d {} + | sort); }
        kiln image copy -q containers-storage:sorts ${place}localhost/ours
        kiln push -q sorts docker-archive:sorts.tar:localhost/theirs:1
        other=\"podman --root $PWD/other --runroot $PWD/o --storage-driver vfs\"; $other load -q -i sorts.tar
        top() { jq -r '.[] | select(.parent) | .id' $1/vfs-layers/layers.json | tail -n 1; }
        test $(top vfs) = $(top other); look vfs/vfs/dir/$(top vfs) >one; look other/vfs/dir/$(top other) >two
        diff one two; test $(wc -l <one) -gt 40; ls vfs/vfs/dir >one; ls other/vfs/dir >two; diff one two",
    )
    .expect_ok("the same files");
    // Out of it come the layers that went in, by whoever reads them.
    env.shell(
        "diffs=$(kiln inspect --type image --format '{{json .OCIv1.RootFS.DiffIDs}}' sorts)
        for tool in 'skopeo --policy policy.json copy -q' 'kiln image copy -q'; do
            $tool --dest-decompress ${place}localhost/ours dir:out
            test \"$(jq -c '[.layers[].digest]' out/manifest.json)\" = \"$diffs\"
            rm -r out
        done
        test $($podman image inspect --format '{{.Id}}' ours) = $(kiln images -q --no-trunc sorts | cut -d: -f2)",
    )
    .expect_ok("the same layers");
    // All ways to name it, and what goes from it.
    env.shell(
        "all=\"[vfs@$PWD/vfs+$PWD/v] [vfs@$PWD/vfs] [$PWD/vfs+$PWD/v] [$PWD/vfs] [vfs@$PWD/vfs+$PWD/v:o=]\"
        for place in $all; do
            kiln image inspect --format '{{.Digest}}' containers-storage:${place}ours
        done | sort -u | grep -c sha256: | grep -qx 1
        kiln image copy -q oci:layout:localhost/base ${place}localhost/base; kiln image delete ${place}ours
        test \"$($podman images --format '{{.Repository}}')\" = localhost/base; test $(ls vfs/vfs/dir | wc -l) = 1
        kiln image delete ${place}base; test -z \"$(ls vfs/vfs/dir; $podman images -q)\"
        test -z \"$(ls -A vfs/vfs | grep -v dir; ls vfs/vfs-layers | grep -v '^layers')\"",
    )
    .expect_ok("names and removals");
}

#[test]
fn a_machine_with_the_driver_vfs() {
    let test = "interop_drivers::a_machine_with_the_driver_vfs";
    let Some(env) = with_runs(test, || Some(Env::new()), "vfs") else { return };
    env.shell(BESIDE).expect_ok("a session beside Podman");
}

#[test]
fn an_ordinary_user_with_the_driver_vfs() {
    let test = "interop_drivers::an_ordinary_user_with_the_driver_vfs";
    if !needs(test, &[Need::Program("newuidmap")]) {
        return;
    }
    let Some(env) = with_runs(test, || Env::for_user(test), "vfs") else { return };
    env.shell(BESIDE).expect_ok("a session beside Podman");
}

/// A session with Kiln and Podman on one storage.
const BESIDE: &str = "kiln pull -q oci:layout:localhost/base >/dev/null; test -d $SHARED/vfs/dir
    test \"$(podman images --format '{{.Repository}}')\" = localhost/base
    c=$(kiln from base); kiln run $c sh -c 'echo made >/made; rm /bin/yes; chown 5:6 /made'
    kiln commit -q $c made >/dev/null; kiln rm $c >/dev/null
    podman run $RUN made sh -c 'cat /made; stat -c %u:%g /made; ls /bin/yes 2>/dev/null || echo gone' >said
    test \"$(xargs <said)\" = 'made 5:6 gone'
    kiln tag made also; podman tag made more; test \"$(kiln images -q | sort -u | wc -l)\" = 2
    kiln rmi also >/dev/null; podman image exists more; ! podman image exists also
    c=$(buildah from scratch); buildah config --label a=b $c; buildah commit -q $c theirs >/dev/null
    buildah rm $c >/dev/null
    d=$(kiln from theirs); kiln config --label c=d $d; kiln commit -q $d ours >/dev/null; kiln rm $d >/dev/null
    test \"$(podman image inspect --format '{{.Labels.a}}{{.Labels.c}}' ours)\" = bd
    kiln rmi -a -f >/dev/null; test -z \"$(podman images -q)$(ls $SHARED/vfs/dir)\"";

#[test]
fn what_is_not_written_here_podman_takes_in() {
    let test = "interop_drivers::what_is_not_written_here_podman_takes_in";
    let Some(env) = with_btrfs(test, &[Need::Program("podman"), Need::Program("skopeo")]) else { return };
    let id = images::write_small(&env.path("layout"), "localhost/base");
    env.shell(
        "place=containers-storage:[btrfs@$PWD/disk/b+$PWD/r]
        kiln image copy -q oci:layout ${place}localhost/taken; kiln image copy -q ${place}taken oci:back:x
        kiln image copy -q containers-storage:[$PWD/disk/b+$PWD/r]taken oci:again:x
        kiln image delete ${place}taken 2>refused && exit 1; grep -q 'its driver is `btrfs`' refused",
    )
    .expect_ok("an image into btrfs and back");
    let images = "podman --root $PWD/disk/b --runroot $PWD/r --storage-driver btrfs images -q --no-trunc";
    assert_eq!(env.shell(images).expect_ok("podman's list"), format!("sha256:{id}"));
    for layout in ["oci:back:x", "oci:again:x"] {
        assert_eq!(
            env.shell(&format!("skopeo inspect --config --raw {layout} | sha256sum")).stdout[..64],
            id
        );
    }
    // As the machine's storage, too.
    env.shell(
        "printf '[storage]\\ndriver=\"btrfs\"\\ngraphroot=\"%s\"\\nrunroot=\"%s\"\\n' $PWD/disk/b $PWD/r >conf
        export KILN_PODMAN=1 CONTAINERS_STORAGE_CONF=$PWD/conf
        kiln() { command kiln --storage-driver overlay \"$@\"; }; c=$(kiln from scratch); kiln config --label a=b $c
        kiln commit -q $c made >/dev/null; kiln tag made tagged; kiln rm $c >/dev/null
        test \"$(podman image inspect --format '{{.Labels.a}}' made)\" = b; podman image exists tagged",
    )
    .expect_ok("a session beside Podman");
    // Its subvolumes go only so.
    env.shell("podman --root $PWD/disk/b --runroot $PWD/r --storage-driver btrfs rmi -a >/dev/null")
        .expect_ok("the removal");
}

/// A story with a small btrfs in `disk`. `None`, and `test` on the list, where there can be none.
fn with_btrfs(test: &str, more: &[Need]) -> Option<Env> {
    let all = [Need::Root, Need::Program("mkfs.btrfs"), Need::File("/dev/loop-control")];
    if !needs(test, &all) || !needs(test, more) {
        return None;
    }
    let mut env = Env::new();
    share_with(&mut env, "overlay");
    env.set("KILN_PODMAN", "0");
    let made = env.shell("truncate -s 256M image; mkfs.btrfs -q image; mkdir disk; mount -o loop image disk");
    if made.code != 0 {
        needs::not_run(test, "no btrfs can be mounted here");
        return None;
    }
    Some(env)
}

#[test]
fn files_that_can_have_no_second_name_share_their_extents() {
    let test = "interop_drivers::files_that_can_have_no_second_name_share_their_extents";
    let Some(env) = with_btrfs(test, &["podman", "filefrag", "getfattr", "jq"].map(Need::Program)) else {
        return;
    };
    // A link across subvolumes is refused as one across file systems is.
    env.shell(
        "btrfs subvolume create disk/k >/dev/null; btrfs subvolume create disk/s >/dev/null
        export KILN_ROOT=$PWD/disk/k/store; place=containers-storage:[overlay@$PWD/disk/s/shared]
        c=$(kiln from scratch); m=$(kiln mount $c); head -c 3000000 /dev/urandom >$m/large; ln $m/large $m/hard
        echo small >$m/small; setfattr -n user.k -v v $m/large; chown 5:6 $m/large; mkfifo $m/fifo
        kiln umount $c >/dev/null; kiln commit -q $c made >/dev/null; kiln rm $c >/dev/null
        kiln image copy -q containers-storage:made ${place}localhost/made; sync
        there=$(echo disk/s/shared/overlay/*/diff); test $(stat -c %h:%u:%g $there/large) = 2:5:6
        test $there/large -ef $there/hard; test -p $there/fifo; getfattr -n user.k $there/large >/dev/null
        ! test $there/large -ef disk/k/store/layers/*/fs/large; filefrag -v $there/large | grep -q shared
        podman --root $PWD/disk/s/shared --runroot $PWD/r --storage-driver overlay save -q -o made.tar made
        diffs=$(kiln inspect --type image --format '{{json .OCIv1.RootFS.DiffIDs}}' made)
        kiln image copy -q --dest-decompress ${place}made dir:out
        test \"$(jq -c '[.layers[].digest]' out/manifest.json)\" = \"$diffs\"; kiln check --deep",
    )
    .expect_ok("an image in another subvolume");
}

#[test]
fn a_storage_that_storage_conf_names_is_no_other_place() {
    let test = "interop_drivers::a_storage_that_storage_conf_names_is_no_other_place";
    if !needs(test, &[Need::Root]) {
        return;
    }
    let mut env = Env::new();
    share_with(&mut env, "vfs");
    images::write_small(&env.path("layout"), "localhost/base");
    // Kiln does not act on it beside its own store: the place that is named is meant even so.
    env.set("alone", "env -u KILN_PODMAN");
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo; $alone ./skopeo copy -q oci:layout containers-storage:localhost/base
$ ls $SHARED; $alone kiln images -q
vfs
vfs-containers
vfs-images
vfs-layers
$ $alone ./skopeo inspect --format '{{len .Layers}}' containers-storage:localhost/base
1
$ sed -i s/vfs/btrfs/ storage.conf; $alone ./skopeo copy -q oci:layout containers-storage:localhost/base
! Error: cannot use the storage driver `btrfs`: driver of <dir>/files/storage.conf may be `overlay` or `vfs`
! hint: use --storage-driver overlay, or leave it away
[1]
$ sed -i s/btrfs/vfs/ storage.conf; mkdir new; for driver in overlay vfs; do ./skopeo copy -q oci:layout containers-storage:[$driver@$PWD/new]base; done; ls new | grep images
overlay-images
vfs-images
"#,
    );
}
