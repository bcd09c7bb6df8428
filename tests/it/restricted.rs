//! Places that let Kiln do less than it would: every verb works there too, and makes the same image.

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
[125]
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
! ls: /root/.opq: No such file or directory
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
