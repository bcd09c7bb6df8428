//! The storage that Podman, Buildah and Skopeo share: Kiln writes what they read and reads what they write, acts on it
//! beside its own store, and is honest where it cannot.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::support::podman::{share, with_shared_base};
use crate::support::{Env, Need, images, needs, tell, tell_as_buildah};

#[test]
fn a_session_of_two_tools_on_one_storage() {
    let Some(env) = with_shared_base("interop_storage::a_session_of_two_tools_on_one_storage") else {
        return;
    };
    // `podman`'s own columns change with its version: what is compared are names, ids and digests.
    tell_as_buildah(
        &env,
        r#"
$ buildah from base
base-working-container
$ echo new >$(buildah mount base-working-container)/new; rm $(buildah mount base-working-container)/etc/passwd
$ buildah umount base-working-container >/dev/null
$ podman rmi localhost/base 2>&1 | grep -c 'in use by a container'
1
$ podman ps -a --external --format '{{.Names}} {{.Image}}'
base-working-container localhost/base:latest
$ buildah commit -q --timestamp 0 base-working-container made
<id-1>
$ podman images --no-trunc --format '{{.Repository}} {{.ID}}' | sort
localhost/base sha256:<id-2>
localhost/made sha256:<id-1>
$ podman history --format '{{.CreatedBy}}' made | head -n 1
/bin/sh
$ buildah tag made other:1; podman tag made third:1; buildah images --format '{{.Name}}:{{.Tag}}' | sort
localhost/base:latest
localhost/made:latest
localhost/other:1
localhost/third:1
$ buildah rmi other:1
untagged: localhost/other:1
$ podman image exists other:1 || echo gone
gone
$ podman rmi made >/dev/null; buildah from --name x third:1
x
$ cat $(buildah mount x)/new; ls $(buildah mount x)/etc
new
hello.conf
$ buildah rm -a >/dev/null; podman ps -a --external -q
$ podman rmi third:1 localhost/base >/dev/null; podman images -q; ls $SHARED/overlay-layers $SHARED/overlay
<dir>/store/shared/overlay:
l

<dir>/store/shared/overlay-layers:
layers.json
layers.lock
"#,
    );
}

/// A script that makes an image of every sort of change over `base`: `sorts`.
const SORTS: &str = "c=$(kiln from base); m=$(kiln mount $c); rm -r $m/etc; mkdir $m/etc; echo x >$m/etc/x
    ln $m/etc/x $m/etc/hard; ln -s x $m/etc/soft; mkfifo $m/fifo; setfattr -n user.k -v v $m/etc/x
    long=$(printf 'long%.0s' $(seq 40)); mkdir -p $m/$long; head -c 5000 /dev/zero >$m/$long/$long
    chown 5:6 $m/$long; chmod 2751 $m/$long; echo é >$m/$(printf '\\351'); kiln umount $c >/dev/null
    kiln commit -q --timestamp 0 $c sorts >/dev/null; kiln rm $c >/dev/null";

#[test]
fn what_one_writes_the_others_read_bit_for_bit() {
    let Some(env) = with_shared_base("interop_storage::what_one_writes_the_others_read_bit_for_bit") else {
        return;
    };
    env.shell(SORTS).expect_ok("the image");
    // Layers out of the storage, made of files and tar-splits, are those that went in: their digests are diff ids.
    let diffs = env.ok(["inspect", "--type", "image", "--format", "{{json .OCIv1.RootFS.DiffIDs}}", "sorts"]);
    let copy = "skopeo --insecure-policy copy -q --dest-decompress";
    env.shell(&format!("{copy} containers-storage:localhost/sorts dir:theirs")).expect_ok("skopeo reads it");
    env.shell("kiln image copy -q --dest-decompress containers-storage:localhost/sorts dir:ours")
        .expect_ok("kiln");
    let layers = |dir: &str| {
        let raw = fs::read(env.path(dir).join("manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&raw).expect("JSON");
        let all = manifest["layers"].as_array().expect("layers").iter();
        serde_json::Value::from(all.map(|layer| layer["digest"].clone()).collect::<Vec<_>>()).to_string()
    };
    assert_eq!(layers("theirs"), diffs);
    assert_eq!(layers("ours"), diffs);
    // What Buildah writes, we read, digests checked; what Podman commits has opaque directories of its own.
    env.shell(
        "c=$(buildah from localhost/sorts); m=$(buildah mount $c); rm -r $m/etc; mkdir $m/etc; echo y >$m/etc/y
        buildah umount $c >/dev/null; buildah commit -q $c theirs >/dev/null; buildah rm $c >/dev/null
        kiln image copy -q containers-storage:theirs oci:out:x; skopeo inspect oci:out:x >/dev/null
        kiln --root elsewhere pull -q oci:out:x; kiln --root elsewhere check --deep",
    )
    .expect_ok("an image of Buildah's");
    // And back: an image that is only in another store, or compressed, or on its way through a location.
    env.shell(
        "kiln image copy -q oci:out:x containers-storage:localhost/back; podman image inspect back >/dev/null
        test \"$(podman image inspect --format '{{.Id}}' back)\" = \"$(podman image inspect --format '{{.Id}}' theirs)\"
        podman save -q --format oci-archive -o saved.tar back; skopeo inspect oci-archive:saved.tar >/dev/null
        test \"$(podman image inspect --format '{{.Digest}}' back)\" = \
            \"$(kiln image inspect --format '{{.Digest}}' containers-storage:back)\"
        test \"$(podman image inspect --format '{{.Digest}}' back)\" = \
            \"$(skopeo inspect --format '{{.Digest}}' oci:out:x)\"",
    )
    .expect_ok("an image from elsewhere");
}

#[test]
fn an_image_in_two_forms_is_read_in_the_newest_or_by_its_digest() {
    let test = "interop_storage::an_image_in_two_forms_is_read_in_the_newest_or_by_its_digest";
    let Some(env) = with_shared_base(test) else { return };
    env.shell(
        "skopeo --insecure-policy copy -q --format oci containers-storage:localhost/base dir:oci
        skopeo --insecure-policy copy -q --format v2s2 dir:oci dir:docker
        for form in oci docker; do skopeo --insecure-policy copy -q dir:$form containers-storage:localhost/two:$form
        done",
    )
    .expect_ok("the image in two forms");
    let digest = env.shell("sha256sum <oci/manifest.json | cut -c -64").expect_ok("its digest");
    for image in ["two:oci".into(), "two:docker".into(), format!("two@sha256:{digest}")] {
        let read = |program: &str| {
            let command = format!("{program} inspect --raw containers-storage:localhost/{image}");
            env.shell(&command).expect_ok(&command)
        };
        assert_eq!(read("kiln image"), read("skopeo"), "{image}");
    }
}

#[test]
fn files_are_shared_and_not_copied() {
    let Some(env) = with_shared_base("interop_storage::files_are_shared_and_not_copied") else { return };
    env.shell(
        "c=$(kiln from base); m=$(kiln mount $c); echo large >$m/large; kiln umount $c >/dev/null
        kiln commit -q $c made >/dev/null; kiln rm $c >/dev/null",
    )
    .expect_ok("a commit");
    let links = |root: &Path, name: &str| {
        env.run(
            "find",
            [root.as_os_str(), "-name".as_ref(), name.as_ref(), "-printf".as_ref(), "%n".as_ref()],
        )
    };
    assert_eq!(links(&env.store().join("layers"), "large"), "2", "its second name is in the storage");
    // The base's files are where Podman put them: no copy is in our store.
    assert_eq!(links(&env.store().join("layers"), "hello.conf"), "");
}

#[test]
fn an_image_with_the_same_layer_twice_is_written() {
    let Some(mut env) = for_root("interop_storage::an_image_with_the_same_layer_twice_is_written") else {
        return;
    };
    share(&mut env);
    let tar = vec![0; 1024];
    let config = serde_json::json!({ "Cmd": ["/x"] });
    images::write_tars(&env.path("twice"), "twice", &[tar.clone(), tar.clone(), tar], &config);
    for driver in ["overlay", "vfs"] {
        env.shell(&format!(
            "kiln image copy -q oci:twice:twice containers-storage:[{driver}@$PWD/{driver}+$PWD/r2]a
            podman=\"podman --root $PWD/{driver} --runroot $PWD/r2 --storage-driver {driver}\"
            $podman save -q -o {driver}.tar a; tar -tf {driver}.tar | grep -c layer.tar
            $podman rmi a >/dev/null; find $PWD/{driver}/{driver} -mindepth 2 | grep . && exit 1; true"
        ))
        .expect_ok(driver);
    }
}

fn for_root(test: &str) -> Option<Env> {
    needs(test, &[Need::Root, Need::Program("podman")]).then(Env::new)
}

#[test]
fn what_cannot_be_is_told() {
    let Some(mut env) = for_root("interop_storage::what_cannot_be_is_told") else { return };
    share(&mut env);
    fs::create_dir_all(env.path("other/btrfs-images")).expect("a storage of another driver");
    fs::create_dir_all(env.path("broken/overlay-images")).expect("a storage that is damaged");
    env.write("broken/overlay-images/images.json", "{");
    images::write_small(&env.path("layout"), "localhost/base");
    tell(
        &env,
        r#"
$ PATH=$PWD/../bin kiln image copy -q containers-storage:[$PWD/other]a oci:out
! Error: cannot open the storage `<dir>/files/other`: its driver is `btrfs`; known are overlay and vfs
! hint: install podman, which then takes images in and out, or use an archive: docker-archive:FILE
[125]
$ kiln image inspect containers-storage:[overlay@$PWD/broken]a
! Error: cannot read `<dir>/files/broken/overlay-images/images.json`: invalid type: map, expected a sequence at line 1 column 0
! hint: see what is damaged with `podman images`, or name another storage: containers-storage:[DIR]NAME
[125]
$ kiln image inspect containers-storage:[$PWD/nosuch]a
! Error: cannot find the image `a`: no image in the storage `<dir>/files/nosuch` has this name or id
! hint: see what there is with `podman images`
[125]
$ PATH=$PWD/../bin kiln image copy -q oci:layout containers-storage:[zfs@$PWD/new]a
! Error: cannot open the storage `<dir>/files/new`: its driver is `zfs`; known are overlay and vfs
! hint: install podman, which then takes images in and out, or use an archive: docker-archive:FILE
[125]
$ kiln image copy -q oci:layout containers-storage:[overlay@$PWD/new]a@sha256:$(printf '0%.0s' $(seq 64))
! Error: cannot give an image the name `a@sha256:<id-1>`: a digest is not given, it follows from the content
[125]
$ KILN_PODMAN=maybe kiln images
! Error: cannot use KILN_PODMAN=`maybe`: it is neither 0 nor 1
! hint: KILN_PODMAN=1 lets images be where Podman looks too, KILN_PODMAN=0 only in Kiln's store
[125]
"#,
    );
}

#[test]
fn a_storage_that_another_process_holds_is_waited_for() {
    let Some(env) = with_shared_base("interop_storage::a_storage_that_another_process_holds_is_waited_for")
    else {
        return;
    };
    let path = env.store().join("shared/overlay-layers/layers.lock");
    let lock = OpenOptions::new().read(true).write(true).open(path).expect("the lock");
    rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).expect("it is free");
    let told = env.shell("c=$(kiln from scratch); KILN_STORAGE_WAIT=2 kiln commit -q $c x");
    assert_eq!(told.code, 125);
    for part in [
        "warning: waiting for another process that has locked `",
        "hint: see which with `fuser -v ",
        "another process has held it for 2 s",
        "wait longer: KILN_STORAGE_WAIT=SECONDS",
    ] {
        assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
    }
    drop::<File>(lock);
    // The image is in Kiln's store: the repetition only puts it there, too.
    env.shell("kiln commit -q working-container x >/dev/null; podman image exists x; kiln rm -a >/dev/null")
        .expect_ok("the repetition");
}

#[test]
fn a_storage_one_may_not_write_to_is_told() {
    let test = "interop_storage::a_storage_one_may_not_write_to_is_told";
    let Some(mut env) = Env::for_user(test) else { return };
    let storage = env.path("../locked");
    fs::create_dir_all(storage.join("overlay-images")).expect("a storage of root's");
    images::write_small(&env.path("layout"), "base");
    let target = format!("containers-storage:[overlay@{}]a", storage.display());
    let said = env.fails(125, ["image", "copy", "-q", "oci:layout:base", &target]);
    assert!(
        said.contains("cannot make `") && said.contains("hint: run as the user whose storage it is"),
        "{said}"
    );
    std::os::unix::fs::chown(&storage, Some(0), Some(0)).expect("it is root's");
    fs::set_permissions(&storage, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("its mode");
    let said = env.fails(125, ["image", "inspect", &target]);
    assert!(said.contains("cannot open the storage `") && said.contains("Permission denied"), "{said}");
    // Nobody is told that what may be there is not.
    let conf =
        format!("[storage]\ndriver = \"overlay\"\nrootless_storage_path = \"{}\"\n", storage.display());
    let conf = env.write("storage.conf", conf);
    env.set("CONTAINERS_STORAGE_CONF", conf.display().to_string());
    env.set("KILN_PODMAN", "1");
    for words in [&["images"][..], &["from", "base"], &["tag", "base", "other"], &["pull", "oci:layout:base"]]
    {
        let said = env.fails(125, words);
        assert!(
            said.contains("cannot open the storage `") && said.contains("hint: run as the user"),
            "{said}"
        );
    }
}

#[test]
fn an_ordinary_user_shares_a_storage_too() {
    let test = "interop_storage::an_ordinary_user_shares_a_storage_too";
    let Some(mut env) = Env::for_user(test) else { return };
    if !needs(test, &[Need::Program("podman"), Need::Program("newuidmap")]) {
        return;
    }
    share(&mut env);
    env.set("XDG_RUNTIME_DIR", env.path("r").display().to_string());
    images::write_small(&env.path("layout"), "base");
    env.shell(
        "mkdir -m 700 r
        kiln image copy -q oci:layout:base containers-storage:[overlay@$SHARED]localhost/first
        podman images --format '{{.Repository}}' >names
        c=$(kiln from first); kiln unshare sh -c \"echo x >\\$(kiln mount $c)/x; chown 5:6 \\$(kiln mount $c)/x\"
        ! podman rmi first 2>&1 | grep -v 'in use by a container'
        kiln commit -q $c second >/dev/null; kiln rm $c >/dev/null
        podman save -q -o second.tar second; tar -xOf second.tar --wildcards '*.tar' | tar -it 2>/dev/null | grep -x x
        podman rmi -a >/dev/null; test -z \"$(podman images -q)\"",
    )
    .expect_ok("a session of an ordinary user");
}

#[test]
fn the_first_image_makes_the_storage() {
    let test = "interop_storage::the_first_image_makes_the_storage";
    let Some(mut env) = Env::for_user(test) else { return };
    if !needs(test, &[Need::Program("podman"), Need::Program("newuidmap")]) {
        return;
    }
    share(&mut env);
    env.set("XDG_RUNTIME_DIR", env.path("r").display().to_string());
    env.shell(
        "mkdir -m 700 r; c=$(kiln from scratch); kiln config --label a=b $c
        KILN_PODMAN=0 kiln commit -q $c ours >/dev/null; test ! -e $SHARED
        kiln commit -q $c first >/dev/null
        test \"$(podman images --format '{{.Repository}}')\" = localhost/first
        kiln --root $PWD/new from scratch >/dev/null; kiln --root $PWD/new commit -q working-container second
        test \"$(podman --root $PWD/new images --format '{{.Repository}}')\" = localhost/second
        kiln --root $PWD/new check --deep; test -z \"$(podman images -q second)\"",
    )
    .expect_ok("the first images of two storages");
}

#[test]
fn layers_that_cannot_be_used_in_place_are_copied() {
    let Some(env) = with_shared_base("interop_storage::layers_that_cannot_be_used_in_place_are_copied")
    else {
        return;
    };
    tell(
        &env,
        r#"
$ kiln images -q >/dev/null; sed -i s/trusted/names/ $KILN_ROOT/version
$ kiln from base
base-working-container
! Copying config <short-1>
! Copying blob <short-2>
$ kiln run base-working-container ls 2>/dev/null; kiln copy -q base-working-container storage.conf /new
[1]
$ kiln commit -q --timestamp 0 base-working-container made >/dev/null; podman images --format '{{.Repository}}' | sort
localhost/base
localhost/made
"#,
    );
}

/// Processes at once, half of them Podman's and Buildah's.
const WORKERS: usize = 8;

#[test]
fn eight_of_podman_and_eight_of_kiln_lose_nothing() {
    let Some(env) = with_shared_base("interop_storage::eight_of_podman_and_eight_of_kiln_lose_nothing")
    else {
        return;
    };
    let ours = |worker: usize| {
        format!(
            "c=$(kiln from localhost/base); echo {worker} >$(kiln mount $c)/made; kiln umount $c >/dev/null
            kiln commit -q $c kept-{worker} >/dev/null; kiln commit -q $c passing-{worker} >/dev/null
            kiln rm $c >/dev/null; kiln tag kept-{worker} also-{worker}; kiln rmi passing-{worker} >/dev/null"
        )
    };
    let theirs = |worker: usize| {
        format!(
            // Podman 4 itself loses names that several give one image at once: each has images of its own.
            "for name in kept-theirs-{worker} theirs-{worker}; do
                c=$(buildah from scratch); buildah config --label name=$name $c
                buildah commit -q $c $name >/dev/null; buildah rm $c >/dev/null
            done
            podman image inspect localhost/base >/dev/null; podman rmi theirs-{worker} >/dev/null"
        )
    };
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            for script in [ours(worker), theirs(worker)] {
                let mut command = env.command("/bin/sh");
                command.args(["-euc", &script]);
                scope.spawn(move || crate::support::env::finish(&mut command).expect_ok(&script));
            }
        }
    });
    let names = env.run("podman", ["images", "--format", "{{.Repository}}"]);
    for worker in 0..WORKERS {
        for name in ["kept", "also", "kept-theirs"] {
            assert!(
                names.lines().any(|line| line == format!("localhost/{name}-{worker}")),
                "{name}-{worker}: {names}"
            );
        }
        let read = format!("c=$(kiln from kept-{worker}); cat $(kiln mount $c)/made; kiln rm $c >/dev/null");
        assert_eq!(env.shell(&read).expect_ok("what was made"), worker.to_string());
        env.run("podman", ["save", "-q", "-o", &format!("{worker}.tar"), &format!("kept-{worker}")]);
    }
    env.shell("podman rmi -a -f >/dev/null; ls -A $SHARED/overlay | grep -v '^l$\\|^.has-mount-program$'")
        .expect_code(1);
}
