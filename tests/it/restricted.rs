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
