//! Stories of the flags of `kiln run` as an ordinary user: what each shows, and what such a user is told.

use crate::support::{Need, needs, tell, with_container_for_user};

#[test]
fn mounts_of_all_types() {
    let Some(env) = with_container_for_user("mounts_of_all_types") else { return };
    tell(
        &env,
        r#"
$ mkdir data; echo kept >data/file; kiln run --mount type=bind,src="$PWD/data",dst=/d c sh -c 'cat /d/file; touch /d/new'
kept
! touch: /d/new: Read-only file system
[1]
$ kiln run --mount type=bind,src="$PWD/data",dst=/d,rw c sh -c 'echo new >/d/file; cat /d/file'; cat data/file
new
kept
$ kiln run --mount type=bind,src="$PWD/data/file",dst=/f,ro,nosuid c sh -c 'cat /f; busybox grep " /f " /proc/mounts | busybox cut -d" " -f4 | busybox cut -d, -f1,2'
kept
ro,nosuid
$ kiln run --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700 c sh -c 'stat -c "%a %u:%g" /t; busybox head -c 2m /dev/zero >/t/f'
700 0:0
! head: standard output: I/O error
[1]
$ kiln run --mount type=cache,dst=/k,id=k,uid=33,gid=44,mode=750 c sh -c 'stat -c "%a %u:%g" /k; echo cached >/k/f'; kiln run --mount type=cache,dst=/k,id=k c cat /k/f
750 33:44
cached
$ echo secret >s; kiln run --secret id=s,src=s --mount type=secret,id=s,uid=33,mode=400 --user user c cat /run/secrets/s
! cat: can't open '/run/secrets/s': Permission denied
[1]
$ kiln run --secret id=s,src=s --mount type=secret,id=s,env=SECRET,dst=/x c sh -c 'echo $SECRET; stat -c %u:%g /x'
secret
0:0
$ kiln run --mount type=secret,id=none,required c true
! Error: cannot find the secret `none`: the mount requires it, and the caller has given none of this id
! hint: add `--secret id=ID,src=FILE` or `--secret id=ID,env=NAME`
[125]
$ kiln run -v "$PWD/data:/d:U" --user user c sh -c 'id -u; stat -c %u:%g /d; echo mine >/d/mine'; kiln unshare stat -c '%u:%g' data/mine
1000
1000:1000
1000:1000
$ kiln unshare rm -r data; kiln commit -q c made | wc -l; kiln from -q --name d made; kiln run d sh -c 'ls -A /run /d /t /k'
1
d
/run:
.containerenv
! ls: /d: No such file or directory
! ls: /t: No such file or directory
! ls: /k: No such file or directory
[1]
"#,
    );
}

#[test]
fn powers_limits_and_names() {
    let Some(env) = with_container_for_user("powers_limits_and_names") else { return };
    tell(
        &env,
        r#"
$ kiln run --cap-drop all --cap-add chown,setuid c busybox grep CapEff /proc/self/status
CapEff:	0000000000000081
$ kiln run --cap-add all --security-opt no-new-privileges c busybox grep -E 'CapEff|NoNewPrivs' /proc/self/status
CapEff:	000001ffffffffff
NoNewPrivs:	1
$ kiln run --ulimit nofile=100:200 --ulimit core=0 c sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
100
200
0
$ kiln run --network none --hostname box --add-host db:10.0.0.7 c sh -c 'hostname; cat /etc/hosts'
box
10.0.0.7	db
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
127.0.0.1	box
$ kiln run --dns 9.9.9.9 --dns-search a.example --dns-option ndots:3 c busybox grep -v '^#' /etc/resolv.conf
search a.example
nameserver 9.9.9.9
options ndots:3
$ kiln run --device /dev/null:/dev/nothing c sh -c 'echo gone >/dev/nothing; stat -c %t:%T /dev/nothing'
1:3
$ kiln run --group-add 77 --user user c id -G
1000 77 2000
$ kiln run --shm-size 3m c sh -c 'busybox df -k /dev/shm | busybox awk "END { print \$2 }"'
3072
$ for flag in --ipc --pid --uts --cgroupns; do kiln run $flag private c true; kiln run $flag host c true; done
$ kiln run --uts host c hostname | grep -c "^$(uname -n)\$"
1
$ kiln run --security-opt seccomp=unconfined --security-opt mask=/etc/passwd c sh -c 'busybox grep Seccomp: /proc/self/status; busybox wc -c </etc/passwd'
Seccomp:	0
0
$ kiln run --user 70000 c true
! Error: cannot become user 70000:0: Invalid argument (os error 22)
! hint: only ids of /proc/self/uid_map exist here: use a lower one, or get more as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER` (a range no other user has)
[125]
"#,
    );
}

#[test]
fn networks_and_isolations() {
    let test = "networks_and_isolations";
    let Some(env) = with_container_for_user(test) else { return };
    tell(
        &env,
        r#"
$ kiln run --network none c busybox ip -o link | busybox cut -d: -f2
 lo
$ test "$(kiln run --network host c busybox readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)"
$ kiln run --network ns:/proc/self/ns/net c true
! Error: cannot join the network namespace `/proc/self/ns/net`: Operation not permitted (os error 1)
! hint: join it as the user who made it, or as root
[125]
$ kiln run --isolation chroot c sh -c 'id -u; touch /made; ls /made'
0
/made
$ kiln run --isolation rootless c id -u
0
$ kiln run --network nosuch c true
! Error: cannot use the network `nosuch`: there are no named networks
! hint: use --network host, none, private or ns:PATH
[125]
$ kiln run --memory 64m c true 2>&1 | head -n 1 | cut -c1-32
Error: cannot limit the command:
"#,
    );
    if needs(test, &[Need::Program("runc")]) {
        tell(
            &env,
            r#"
$ kiln run --isolation oci --runtime runc --network none c sh -c 'id; touch /by-runc; stat -c %u:%g /by-runc; cat /etc/hostname | busybox wc -c'
uid=0(root) gid=0(root) groups=0(root)
0:0
13
"#,
        );
    }
}
