//! Places that let Kiln do less than it would: every verb works there too, and makes the same image.

use std::io::Read;
use std::path::Path;

mod stamps;

use crate::support::{Env, Need, images, needs, tell};

/// An environment with a busybox image in the layout `layout`. `None`, and `test` on the list, where there is none.
pub fn with_busybox(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "localhost/base");
    Some(env)
}

/// Uses every verb that touches files, and returns the id of the image it ends with.
pub fn every_verb(env: &Env) -> String {
    tell(
        env,
        r#"
$ kiln from -q --name c oci:layout:localhost/base
c
$ mkdir host; echo host >host/f; echo one >file; kiln copy -q c file /srv/file | wc -l
0
$ kiln run -v "$PWD/host:/host:ro" c sh -c 'cat /host/f /srv/file; echo >/host/g || echo read-only'
host
one
read-only
! sh: can't create /host/g: Read-only file system
$ kiln run c sh -c 'ln -s /tmp/made /link; echo made >/link; rm -r /home /bin/dd; mkdir -p /root/new; rm /etc/group'
$ kiln run c sh -c 'cat /link; ls -A /root; ls /home; test -e /home || ls /etc'
made
new
hostname
hosts
passwd
resolv.conf
! ls: /home: No such file or directory
$ kiln run c sh -c 'echo x >/proc/sys/kernel/core_pattern || echo protected; ls /dev/fd/0'
protected
/dev/fd/0
! sh: can't create /proc/sys/kernel/core_pattern: Read-only file system
$ kiln run --workingdir /made/for/it c pwd
/made/for/it
$ unshare -m kiln unshare sh -c 'cd "$(kiln mount c)"; ls -d * | xargs; cat tmp/made; echo by-hand >hand; rm srv/file; cd /; kiln umount c' | sed \$d
bin etc link made root srv tmp
made
$ kiln commit -q --timestamp 0 c made | wc -l
1
$ kiln push -q made oci:out:x; kiln from -q --name d oci:out:x
d
$ kiln run d sh -c 'cat /hand /link; ls -A /srv /root; ls /home /etc/group || true'
by-hand
made
/root:
new

/srv:
! ls: /home: No such file or directory
! ls: /etc/group: No such file or directory
$ kiln copy -q --from d d /hand /copied; kiln copy -q --from made d /link /etc/copied
$ kiln run d sh -c 'cat /copied; rm -r /root; mkdir /root; echo new >/root/only'
by-hand
$ kiln commit -q --timestamp 0 --squash d flat | wc -l
1
$ kiln from -q --name e flat; kiln run e sh -c 'cat /etc/copied; ls -A /root /etc /srv'
e
made
/etc:
copied
hostname
hosts
passwd
resolv.conf

/root:
only

/srv:
$ kiln rm c d e | wc -l
3
"#,
    );
    env.ok(["inspect", "--format", "{{.FromImageID}}", "flat"])
}

#[test]
fn plain_directories() {
    let test = "plain_directories";
    let Some(env) = with_busybox(test) else { return };
    let expected = every_verb(&env);
    let mut env = with_busybox(test).expect("it was there a moment ago");
    env.set("STORAGE_DRIVER", "vfs");
    assert_eq!(every_verb(&env), expected);
    tell(
        &env,
        r#"
$ kiln from -q --name p scratch; kiln copy -q p file /; test -e "$KILN_ROOT"/containers/*/plain/state
p
$ mkdir many; for n in $(seq 200); do echo $n >many/$n; done; kiln copy -q p many /many
$ # What was changed a moment ago may be changed again without another time: it is taken once more.
> sleep 0.1; kiln commit -q p one | wc -l
1
$ # Only what changed since is a part of its own.
> trees() { ls "$KILN_ROOT/layers" | sort >$1; }; trees before
> kiln unshare sh -c 'cd $(kiln mount p); rm many/7; echo eight >many/8; mv many/9 .; ln file twin; cd /; kiln umount p' >/dev/null
> kiln commit -q p two | wc -l; trees after; cd "$KILN_ROOT/layers"
> for tree in $(comm -13 ../../files/before ../../files/after); do [ ! -d $tree/fs ] || cd $tree/fs; done
> find . -printf '%P %y %n\n' | sort
1
 d 3
9 f 1
file f 2
many d 2
many/7 c 1
many/8 f 1
many/9 c 1
twin f 2
$ kiln commit -q --timestamp 0 p three >id; kiln commit -q --timestamp 0 p four | diff - id
$ kiln from -q --name q two; kiln unshare sh -c 'cd $(kiln mount q); ls many | wc -l; cat many/8 9 twin; stat -c %h file'
q
198
eight
9
one
2
$ kiln --storage-driver overlay run p true
! Error: cannot run `true`: no directory of the container's PATH has it: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
! hint: give its full path, or set the PATH with `--env PATH=…`
[1]
$ kiln rm p q | wc -l
2
"#,
    );
}

#[test]
fn a_program_in_place_of_the_kernels_overlay() {
    let test = "a_program_in_place_of_the_kernels_overlay";
    let needed = [Need::Root, Need::Program("fuse-overlayfs"), Need::File("/dev/fuse")];
    if !needs(test, &needed) {
        return;
    }
    let Some(env) = with_busybox(test) else { return };
    let expected = every_verb(&env);
    let mut env = with_busybox(test).expect("it was there a moment ago");
    env.set("STORAGE_DRIVER", "overlay");
    env.set("STORAGE_OPTS", "overlay.mount_program=/usr/bin/fuse-overlayfs");
    assert_eq!(every_verb(&env), expected);
    tell(
        &env,
        r#"
$ kiln from -q --name c made; kiln run c sh -c 'rm -r /root; mkdir /root; echo n >/root/new; chown 5:6 /root/new; rm /hand'
c
$ kiln commit -q c again | wc -l; STORAGE_OPTS= kiln run c sh -c 'ls -A /root; ls /hand; stat -c %u:%g /root/new'
1
new
5:6
! ls: /hand: No such file or directory
$ find "$KILN_ROOT" -name '.wh.*' | wc -l
0
$ # Someone is inside while it is committed: what is there is copied, and the one inside goes on.
> unshare -m kiln unshare sh -c 'cd $(kiln mount c); echo a >a; rm bin/cat; kiln commit -q c inside >id; echo b >b; cd /; kiln umount c >id'
! warning: the container `c` is in use, so its files are copied as they are at this moment
$ kiln from -q --name i inside; kiln run i sh -c 'ls -d /a /b /bin/cat /root/new'
i
/a
/root/new
! ls: /b: No such file or directory
! ls: /bin/cat: No such file or directory
[1]
$ kiln run c sh -c 'ls -d /a /b'
/a
/b
$ kiln --storage-opt mount_program=/bin/false run c true
! Error: cannot mount the container `c`: /bin/false: Transport endpoint is not connected (os error 107)
[125]
$ kiln --storage-opt mount_program=/nosuch run c true
! Error: cannot use the storage option `mount_program=/nosuch`: there is no file `/nosuch`
[125]
$ pgrep -f "fuse-overlayfs.*containers/$(kiln inspect --format '{{.ContainerID}}' c)" | wc -l
0
$ kiln rm c i | wc -l
2
"#,
    );
}

#[test]
fn a_store_on_overlay() {
    let test = "a_store_on_overlay";
    let needed = [Need::Root, Need::Program("fuse-overlayfs"), Need::File("/dev/fuse")];
    if !needs(test, &needed) {
        return;
    }
    let Some(env) = with_busybox(test) else { return };
    let expected = every_verb(&env);
    let env = with_busybox(test).expect("it was there a moment ago");
    on_overlay(&env);
    assert_eq!(every_verb(&env), expected);
}

/// Puts an overlay where the store comes to be, as in a container.
fn on_overlay(env: &Env) {
    let made = env.shell(
        "mkdir -p ../lower ../upper ../work \"$KILN_ROOT\"
         mount -t overlay -o lowerdir=../lower,upperdir=../upper,workdir=../work none \"$KILN_ROOT\"",
    );
    made.expect_ok("an overlay is mounted");
}

#[test]
fn a_store_on_fuse_as_on_a_network() {
    let test = "a_store_on_fuse_as_on_a_network";
    if !needs(test, &[Need::Root, Need::Program("bindfs"), Need::File("/dev/fuse")]) {
        return;
    }
    let Some(env) = with_busybox(test) else { return };
    let expected = every_verb(&env);
    // Without extended attributes, and open files that are removed keep a name: as on NFS.
    let mounted = |env: &Env| {
        env.shell("mkdir ../real \"$KILN_ROOT\"; bindfs --xattr-none ../real \"$KILN_ROOT\"").expect_code(0);
    };
    let mut env = with_busybox(test).expect("it was there a moment ago");
    mounted(&env);
    env.set("STORAGE_DRIVER", "vfs");
    assert_eq!(every_verb(&env), expected);
    let env = with_busybox(test).expect("it was there a moment ago");
    mounted(&env);
    tell(
        &env,
        r#"
$ kiln from -q --name c oci:layout:localhost/base; kiln run c touch /made
c
! warning: the files of `c` are copied: overlay is refused here (Operation not supported (os error 95)), and the store is on a file system that a program or a server provides: no overlay works there
! hint: see what would help with `kiln doctor`
$ kiln run c ls /made
/made
$ kiln rm c | wc -l; kiln rmi --all | wc -l; kiln prune; ls "$KILN_ROOT/trash" "$KILN_ROOT/tmp"
1
2
<dir>/store/tmp:

<dir>/store/trash:
! removed 0 trees and 0 blobs
"#,
    );
}

#[test]
fn neither_overlay_nor_a_program() {
    let Some(env) = with_busybox("neither_overlay_nor_a_program") else { return };
    on_overlay(&env);
    let script = |command: &str| format!("PATH=$(dirname \"$KILN\"):/nowhere {command}");
    assert_eq!(env.shell(&script("kiln from -q --name c oci:layout:localhost/base")).code, 0);
    tell(
        &env,
        r#"
$ PATH=$(dirname "$KILN") kiln run c sh -c 'echo x >/file; rm /etc/group'
! warning: the files of `c` are copied: overlay is refused here (Operation not supported (os error 95)), and there is no fuse-overlayfs
! hint: see what would help with `kiln doctor`
$ PATH=$(dirname "$KILN") kiln run c cat /file
x
$ kiln commit -q c one | wc -l; kiln from -q --name d one; kiln run d sh -c 'cat /file; ls /etc/group'
1
d
x
! ls: /etc/group: No such file or directory
[1]
$ PATH=$(dirname "$KILN") kiln copy -q --from one c /file /copied; PATH=$(dirname "$KILN") kiln run c cat /copied
x
$ kiln from -q --name e one; PATH=$(dirname "$KILN") kiln --storage-driver overlay run e true
e
! Error: cannot mount the container `e`: Operation not supported (os error 95)
! hint: put the store on ext4, xfs, btrfs or tmpfs: --root DIR; in a container, on a volume
[125]
$ kiln rm c d e | wc -l
3
"#,
    );
}

/// Path, owner and mode of all that the last layer of a layout's one image has.
fn layer_owners(layout: &Path) -> Vec<String> {
    let read = |digest: &str| {
        let path = layout.join("blobs/sha256").join(digest.strip_prefix("sha256:").expect("a digest"));
        std::fs::read(path).expect("a blob")
    };
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON");
    let index = json(&std::fs::read(layout.join("index.json")).expect("an index"));
    let manifest = json(&read(index["manifests"][0]["digest"].as_str().expect("a manifest")));
    let layers = manifest["layers"].as_array().expect("layers");
    let blob = read(layers.last().expect("a layer")["digest"].as_str().expect("its digest"));
    let mut plain = Vec::new();
    if blob.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(&blob[..]).read_to_end(&mut plain).expect("it is gzip");
    } else {
        plain = blob;
    }
    let mut archive = tar::Archive::new(&plain[..]);
    let line = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry: tar::Entry<'_, &[u8]> = entry.expect("an entry");
        let extensions = entry.pax_extensions().expect("its extensions").map_or(0, Iterator::count);
        let header = entry.header();
        let (uid, gid) = (header.uid().expect("a user"), header.gid().expect("a group"));
        let path = entry.path().expect("a path").display().to_string();
        format!("{path} {uid}:{gid} {:o} {extensions}", header.mode().expect("a mode"))
    };
    archive.entries().expect("entries").map(line).collect()
}

#[test]
fn a_user_with_one_id() {
    let test = "a_user_with_one_id";
    if !needs(test, &[Need::Busybox]) {
        return;
    }
    let Some(env) = Env::for_user(test) else { return };
    images::write_busybox(&env.path("layout"), "localhost/base");
    tell(
        &env,
        r#"
$ # Without newuidmap there is but the one id that everyone has.
> printf '#!/bin/sh\nPATH=/nowhere exec "$KILN" "$@"\n' >k; chmod +x k
$ ./k from -q --name c oci:layout:localhost/base
c
$ mkdir srv; echo one >srv/file; ln -s file srv/link; mkfifo srv/pipe; chmod 750 srv; ./k copy -q --chown 33:44 c srv /srv
$ ./k run c sh -c 'busybox wc -l </proc/self/uid_map; id -u; stat -c "%u:%g %a" /srv /srv/file'
1
0
0:0 750
0:0 644
$ ./k run c sh -c 'chmod 640 /srv/file; echo more >>/srv/file; rm /etc/group'
$ ./k run c chown 5:6 /srv/file
! chown: /srv/file: Invalid argument
! warning: the command failed where there is one id only: it can give no file to anyone
! hint: as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER` (a range no other user has)
[1]
$ ./k run --user user c true
! Error: cannot become user 1000:1000: Invalid argument (os error 22)
! hint: only ids of /proc/self/uid_map exist here: use a lower one, or get more as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER` (a range no other user has)
[125]
$ ./k unshare /bin/sh -c '/usr/bin/stat -c "%u:%g %a" "$($KILN mount c)/srv/file"'
0:0 640
$ ./k commit -q --timestamp 0 c made | wc -l; ./k push -q made oci:out:x
1
"#,
    );
    let first = layer_owners(&env.path("out"));
    let expected = [
        "etc/ 0:0 755 0",
        "etc/.wh.group 0:0 0 0",
        "srv/ 33:44 750 0",
        "srv/file 33:44 640 0",
        "srv/link 33:44 777 0",
        "srv/pipe 33:44 644 0",
    ];
    assert_eq!(first, expected);
    tell(
        &env,
        r#"
$ # Unpacked, copied and squashed the owners are the same, and gone where they are given back.
> KILN_ROOT=$PWD/second ./k from -q --name d oci:out:x; export KILN_ROOT=$PWD/second
> ./k copy -q --from d d /srv /again; ./k copy -q --chown 0:0 --from d d /srv/file /srv/file
> ./k commit -q --timestamp 0 d flat | wc -l; ./k push -q flat oci:out2:x; ./k rm d | wc -l
d
1
1
$ # Already inside a namespace with one id.
> unshare -rm sh -c 'kiln run c id -u; kiln commit -q --timestamp 0 c again | wc -l; kiln push -q again oci:out3:x'
0
1
$ ./k rm c | wc -l
1
$ ./k rmi --all | wc -l
5
"#,
    );
    let second = layer_owners(&env.path("out2"));
    let expected = [
        "again/ 33:44 750 0",
        "again/file 33:44 640 0",
        "again/link 33:44 777 0",
        "again/pipe 33:44 644 0",
        "srv/ 33:44 750 0",
        "srv/file 0:0 640 0",
    ];
    assert_eq!(second, expected);
    assert_eq!(layer_owners(&env.path("out3")), first);
}

#[test]
fn images_of_another_store_are_used_in_place() {
    let Some(env) = with_busybox("images_of_another_store_are_used_in_place") else { return };
    tell(
        &env,
        r#"
$ export KILN_ROOT=$PWD/other; kiln from -q --name c oci:layout:localhost/base; kiln run c touch /made; kiln commit -q c made | wc -l
c
1
$ # Nothing in it may change from now on.
> find other -type f ! -path 'other/tmp/*' -printf '%p %s %T@\n' | sort >before
$ export STORAGE_OPTS=additionalimagestore=$PWD/other
> kiln images --format '{{.Name}} {{.ReadOnly}}'; kiln images --json | grep -c '"readonly": true'
> kiln from -q --name d made; kiln run d sh -c 'ls /made; rm /made; echo own >/own'; kiln commit -q d own | wc -l
> kiln from -q --name e own; kiln run e sh -c 'cat /own; ls /made'; kiln run e ls /bin/busybox
localhost/made true
localhost/base true
2
d
/made
1
e
own
! ls: /made: No such file or directory
[1]
$ export STORAGE_OPTS=additionalimagestore=$PWD/other; kiln rmi made
! Error: cannot remove the image `made`: it is in an additional store, which is never written
! hint: do it in that store: kiln --root <dir>/files/other …
[125]
$ export STORAGE_OPTS=additionalimagestore=$PWD/other; kiln tag made mine
! Error: cannot tag the image `made`: it is in an additional store, which is never written
! hint: do it in that store: kiln --root <dir>/files/other …
[125]
$ export STORAGE_OPTS=additionalimagestore=$PWD/other; kiln push -q own oci:out:own; kiln check; kiln prune 2>/dev/null; kiln check
$ ls "$KILN_ROOT/layers" | wc -l; find other -type f ! -path 'other/tmp/*' -printf '%p %s %T@\n' | sort | diff before -
1
$ kiln --storage-opt additionalimagestore=/nosuch images
! Error: cannot use the storage option `additionalimagestore=/nosuch`: `/nosuch` is not a store of Kiln
! hint: name the --root of another Kiln store
[125]
$ kiln from -q --name f oci:out:own; kiln run f cat /own
f
own
$ STORAGE_OPTS=additionalimagestore=$PWD/other kiln rm d e f | wc -l; STORAGE_OPTS=additionalimagestore=$PWD/other kiln rmi --all | wc -l
3
2
"#,
    );
}

#[test]
fn root_without_the_right_to_mount() {
    let test = "root_without_the_right_to_mount";
    if !needs(test, &[Need::Program("setpriv")]) {
        return;
    }
    let Some(env) = with_busybox(test) else { return };
    tell(
        &env,
        r#"
$ printf '#!/bin/sh\nKILN_ROOT=$PWD/theirs exec setpriv --bounding-set -sys_admin "$KILN" "$@"\n' >k; chmod +x k
$ # As in a container of another engine: there is root, with all ids, and nothing may be mounted but in a namespace below.
> ./k from -q --name c oci:layout:localhost/base
c
$ echo one >file; ./k copy -q --chown 33:44 c file /srv/file
$ ./k run c sh -c 'id -u; chown 5:6 /srv/file; stat -c "%u:%g" /srv/file; rm -r /home; mkdir /new; busybox xargs </proc/self/uid_map'
0
5:6
0 0 4294967295
$ ./k run --user user c sh -c 'id; echo >/etc/x'
uid=1000(user) gid=1000(user) groups=1000(user),2000(extra)
! sh: can't create /etc/x: Permission denied
[1]
$ ./k run --hostname box c hostname
box
$ ./k commit -q --timestamp 0 c made >id
$ kiln from -q --name c oci:layout:localhost/base; kiln copy -q --chown 33:44 c file /srv/file
> kiln run c sh -c 'chown 5:6 /srv/file; rm -r /home; mkdir /new'; kiln commit -q --timestamp 0 c made | diff - id && echo the same image
c
the same image
$ ./k doctor | grep -A 1 'subordinate ids' | head -n 1; ./k rm c | wc -l
subordinate ids       not needed  already in a user namespace
1
"#,
    );
}
