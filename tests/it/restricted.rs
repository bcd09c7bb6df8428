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
$ kiln run -v "$PWD/host:/host:O" c sh -c 'cat /host/f; echo >/host/g && ls /host'
host
f
g
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
