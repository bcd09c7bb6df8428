//! Stories of the flags of `kiln run` and of the settings that `kiln from` keeps: what a command sees of each.

use crate::support::{NO_MKDIR, tell, with_container};

#[test]
fn hosts_and_name_servers_are_as_asked() {
    let Some(env) = with_container("hosts_and_name_servers_are_as_asked") else { return };
    tell(
        &env,
        r#"
$ kiln run --network none --hostname box --add-host 'db;cache:10.0.0.7' --add-host six:::1 c cat /etc/hosts
10.0.0.7	db cache
::1	six
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
127.0.0.1	box
$ test "$(kiln run --add-host h:host-gateway c busybox head -n 1 /etc/hosts | cut -f1)" != 127.0.0.1
$ kiln run --network none --add-host h:host-gateway c true
! Error: cannot find out the address for `host-gateway`: this network is not the host's
! hint: give the address itself, for example `--add-host host:192.168.1.1`
[125]
$ kiln run --dns 9.9.9.9 --dns-search a.example,b.example --dns-option ndots:3 c busybox grep -v '^#' /etc/resolv.conf
search a.example b.example
nameserver 9.9.9.9
options ndots:3
$ kiln run --dns none c cat /etc/resolv.conf
! cat: can't open '/etc/resolv.conf': No such file or directory
[1]
$ kiln run --dns-search . --dns 9.9.9.9 --dns-opt x c busybox grep -E 'search|options' /etc/resolv.conf
options x
$ kiln run --network none --dns 9.9.9.9 c true
! Error: cannot set name servers for a command without a network
! hint: leave --dns, --dns-search and --dns-option away, or use another --network
[125]
$ kiln run --dns none --dns 9.9.9.9 c true
! Error: cannot use `--dns none` with other name servers
! hint: leave one of the two away
[125]
$ kiln run --dns one c true
! Error: cannot use the name server `one`: it is no IP address
! hint: write for example `--dns 9.9.9.9`, or `--dns none` to keep the image's resolv.conf
[125]
$ kiln run --add-host db c true
! Error: cannot add the host `db`: it has no address
! hint: write it as NAME:ADDRESS, for example `--add-host db:10.0.0.7`
[125]
$ kiln run --add-host db:nowhere c true
! Error: cannot add the host `db:nowhere`: `nowhere` is no IP address
! hint: write it as NAME:ADDRESS, for example `--add-host db:10.0.0.7`
[125]
$ kiln run --no-hosts --no-hostname c ls /etc/hosts /etc/hostname
! ls: /etc/hosts: No such file or directory
! ls: /etc/hostname: No such file or directory
[1]
$ kiln run --hostname "$(printf 'a\nb')" c true
! Error: cannot use the host name `a\nb`: a host name is one word of at most 64 letters
! hint: leave --hostname away for the beginning of the container's id
[125]
$ kiln run --hostname '' c true
! Error: cannot use the host name ``: a host name is one word of at most 64 letters
! hint: leave --hostname away for the beginning of the container's id
[125]
"#,
    );
}

#[test]
fn namespaces_are_its_own_ours_or_anothers() {
    let Some(env) = with_container("namespaces_are_its_own_ours_or_anothers") else { return };
    tell(
        &env,
        r#"
$ for n in ipc pid uts cgroup; do flag=--$n; test $n != cgroup || flag=--cgroupns
>     ours=$(readlink /proc/self/ns/$n); see() { kiln run "$@" c busybox readlink /proc/self/ns/$n; }
>     test "$(see $flag host)" = "$ours" || echo "$n host"; test "$(see $flag private)" != "$ours" || echo "$n private"
>     test "$(see $flag '')" != "$ours" || echo "$n empty"; test "$(see)" != "$ours" || echo "$n usual"
>     test "$(see $flag /proc/self/ns/$n)" = "$ours" || echo "$n path"; test "$(see $flag ns:/proc/self/ns/$n)" = "$ours" || echo "$n ns:"
> done
$ test "$(kiln run --network ns:/proc/self/ns/net c busybox readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)"
$ test "$(kiln run --uts host c hostname)" = "$(uname -n)"; kiln run --uts host --hostname x c sh -c 'test $(hostname) = $HOSTNAME'
$ kiln run --pid host c sh -c 'test $$ != 1'; kiln run --pid host c sh -c 'exit 7'
[7]
$ touch /dev/shm/kiln-test-$$; kiln run --ipc host c ls /dev/shm | grep -c kiln-test-$$; rm /dev/shm/kiln-test-$$
1
$ kiln run --ipc nosuch c true
! Error: cannot use `--ipc nosuch`: it is neither `private` nor `host` nor the path of a namespace
! hint: write for example `--ipc host` or `--ipc /proc/4711/ns/ipc`
[125]
$ kiln run --ipc /nosuch c true
! Error: cannot open the IPC namespace `/nosuch`: No such file or directory (os error 2)
[125]
$ kiln run --ipc "$PWD" c true
! Error: cannot open the IPC namespace `<dir>/files`: it is no namespace
! hint: namespaces are at /proc/PID/ns, and those of networks also at /run/netns
[125]
$ kiln run --ipc /proc/self/ns/net c true
! Error: cannot join the IPC namespace `/proc/self/ns/net`: Invalid argument (os error 22)
! hint: name a namespace of this kind
[125]
$ kiln run --network ns:nosuch c true
! Error: cannot use the network `ns:nosuch`: the path of a namespace starts with a slash
! hint: write for example `--network ns:/run/netns/blue`
[125]
$ test "$(kiln run --isolation chroot c busybox readlink /proc/self/ns/pid)" = "$(readlink /proc/self/ns/pid)"
$ kiln run --isolation chroot c sh -c 'id -u; ls /bin/busybox; hostname' | cut -c1-12 | grep -vc '[0-9a-f]\{12\}'
2
$ kiln run --isolation nosuch c true
! Error: cannot use the isolation `nosuch`: there is none of this name
! hint: use --isolation oci, rootless or chroot
[125]
$ BUILDAH_ISOLATION=nosuch kiln run c true
! Error: cannot use the isolation `nosuch`: there is none of this name
! hint: use --isolation oci, rootless or chroot
[125]
$ test "$(BUILDAH_ISOLATION=chroot kiln run c busybox readlink /proc/self/ns/ipc)" = "$(readlink /proc/self/ns/ipc)"
$ kiln run --no-pivot c sh -c 'ls -d /bin /proc/self/fd; pwd'
/bin
/proc/self/fd
/
"#,
    );
}

#[test]
fn devices_are_lent() {
    let Some(env) = with_container("devices_are_lent") else { return };
    tell(
        &env,
        r#"
$ kiln run --device /dev/null:/dev/hole --device /dev/zero:/deep/zero:rw c sh -c 'stat -c "%F %t:%T" /dev/hole /deep/zero; busybox head -c 3 /deep/zero | busybox wc -c'
character special file 1:3
character special file 1:5
3
$ mkdir devs; cp -a /dev/full devs/one; kiln run --device "$PWD/devs:/dev/devs" c stat -c '%n %F' /dev/devs/one
/dev/devs/one character special file
$ kiln run c ls -d /deep
! ls: /deep: No such file or directory
[1]
$ kiln run --device /dev/nosuch c true
! Error: cannot find the device `/dev/nosuch`: No such file or directory (os error 2)
[125]
$ kiln run --device /dev/null:/dev/x:q c true
! Error: cannot use the device `/dev/null:/dev/x:q`: `q` is not made of r, w and m
! hint: write it as /dev/HOST:/dev/CONTAINER:rwm, for example `--device /dev/fuse`
[125]
$ kiln run --device null c true
! Error: cannot use the device `null`: `null` does not start with a slash
! hint: write it as /dev/HOST:/dev/CONTAINER:rwm, for example `--device /dev/fuse`
[125]
$ kiln run --device /etc/passwd c true
! Error: cannot use the device `/etc/passwd`: it is neither a device nor a directory
! hint: to show a file use `-v /etc/passwd:/etc/passwd`
[125]
"#,
    );
}

#[test]
fn powers_are_given_and_taken() {
    let Some(env) = with_container("powers_are_given_and_taken") else { return };
    env.write("no-mkdir.json", NO_MKDIR);
    tell(
        &env,
        r#"
$ kiln run --security-opt no-new-privileges c busybox grep NoNewPrivs /proc/self/status
NoNewPrivs:	1
$ kiln run --security-opt seccomp=unconfined c busybox grep Seccomp: /proc/self/status
Seccomp:	0
$ kiln run --security-opt seccomp=no-mkdir.json c mkdir /d
! mkdir: can't create directory '/d': No space left on device
[1]
$ kiln run --security-opt seccomp=layout/index.json c true
! Error: cannot read the seccomp profile `layout/index.json`: missing field `defaultAction` at line 1 column 255
! hint: write it as the seccomp.json of containers-common is written
[125]
$ kiln run --security-opt seccomp=nosuch c true
! Error: cannot read the seccomp profile `nosuch`: No such file or directory (os error 2)
[125]
$ kiln run --security-opt nosuch c true
! Error: cannot use the security option `nosuch`: there is no such option
! hint: use seccomp=, label=, apparmor=, mask=, unmask= or no-new-privileges
[125]
$ kiln run --security-opt label=nosuch c true
! Error: cannot use the security option `label=nosuch`: a label is disable, or user:, role:, type:, level:, filetype: and a value
! hint: use seccomp=, label=, apparmor=, mask=, unmask= or no-new-privileges
[125]
$ kiln run --security-opt mask=/etc/passwd:/bin/nosuch c cat /etc/passwd
$ kiln run --security-opt unmask=/proc/sys c sh -c 'test -w /proc/sys/kernel/printk_delay && echo writable'
writable
$ kiln run --security-opt unmask=ALL c busybox grep -c '/proc/' /proc/mounts
0
[1]
$ kiln run --cap-add CAP_NET_RAW --cap-drop CAP_NET_RAW,CHOWN c busybox grep CapEff /proc/self/status
CapEff:	00000000800405fa
$ kiln run --cap-add nosuch c true
! Error: cannot use the capability `nosuch`: no capability has this name
! hint: use a name of capabilities(7), such as `CAP_NET_RAW`, or `all`
[125]
"#,
    );
}

#[test]
fn limits_and_groups_are_as_asked() {
    let Some(env) = with_container("limits_and_groups_are_as_asked") else { return };
    tell(
        &env,
        r#"
$ kiln run --ulimit nofile=64:128 --ulimit core=0 c sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
64
128
0
$ test "$(kiln run --ulimit host c sh -c 'ulimit -n')" = "$(ulimit -n)"
$ kiln run --ulimit nofile c true
! Error: cannot use the limit `nofile`: it has no value
! hint: write it as NAME=SOFT:HARD, for example `--ulimit nofile=1024:4096`, or `--ulimit host`
[125]
$ kiln run --ulimit nofile=5:3 c true
! Error: cannot use the limit `nofile=5:3`: the soft limit 5 is above the hard limit 3
! hint: write it as NAME=SOFT:HARD, for example `--ulimit nofile=1024:4096`, or `--ulimit host`
[125]
$ kiln run --ulimit nosuch=5 c true
! Error: cannot use the limit `nosuch=5`: there is no resource `nosuch`
! hint: write it as NAME=SOFT:HARD, for example `--ulimit nofile=1024:4096`, or `--ulimit host`
[125]
$ kiln run --shm-size 3m c busybox df -k /dev/shm | busybox awk 'END { print $2 }'
3072
$ kiln run --shm-size 0 c true
! Error: cannot use `--shm-size 0`: it is no size above zero
! hint: write a number with b, k, m or g after it, for example `--shm-size 128m`
[125]
$ kiln run --shm-size lots c true
! Error: cannot use `--shm-size lots`: it is no size above zero
! hint: write a number with b, k, m or g after it, for example `--shm-size 128m`
[125]
$ kiln run --group-add 77,extra --user user c id
uid=1000(user) gid=1000(user) groups=77,1000(user),2000(extra)
$ kiln run --group-add nosuch c true
! Error: cannot find the group `nosuch`: /etc/group of the image has no such group
! hint: give a number instead, or add the group first
[125]
$ kiln run --group-add keep-groups --group-add 7 c true
! Error: cannot use `--group-add keep-groups` with other groups: the kernel either keeps the groups of a process or takes a new list
! hint: leave the others away
[125]
$ setpriv --groups 4711 kiln run --group-add keep-groups c busybox grep Groups /proc/self/status
Groups:	4711 
"#,
    );
}

#[test]
fn users_that_are_none_are_refused() {
    let Some(env) = with_container("users_that_are_none_are_refused") else { return };
    tell(
        &env,
        r#"
$ kiln run --user 4294967296 c true
! Error: cannot use the user `4294967296`: an id is a whole number from 0 to 4294967294
! hint: give a user name of the image or a number in that range
[125]
$ kiln run --user -1 c true
! Error: cannot use the user `-1`: an id is a whole number from 0 to 4294967294
! hint: give a user name of the image or a number in that range
[125]
$ kiln run --user +0 c true
! Error: cannot use the user `+0`: an id is a whole number from 0 to 4294967294
! hint: give a user name of the image or a number in that range
[125]
$ kiln run --user 4294967295 c true
! Error: cannot use the user `4294967295`: an id is a whole number from 0 to 4294967294
! hint: give a user name of the image or a number in that range
[125]
$ kiln run c sh -c 'echo 4242:x:0:0::/:/bin/sh >>/etc/passwd'; kiln run --user 4242 c id -u
4242
$ kiln run --user 0:-1 c true
! Error: cannot use the group `-1`: an id is a whole number from 0 to 4294967294
! hint: give a group name of the image or a number in that range
[125]
"#,
    );
}

#[test]
fn proxies_are_passed_on_and_kept_out() {
    let Some(env) = with_container("proxies_are_passed_on_and_kept_out") else { return };
    tell(
        &env,
        r#"
$ http_proxy=http://p:1 NO_PROXY=x kiln run c busybox env | grep -i proxy | sort
NO_PROXY=x
http_proxy=http://p:1
$ http_proxy=http://p:1 kiln run --http-proxy=false c busybox env | grep -ci proxy
0
[1]
$ http_proxy=http://p:1 kiln run --env http_proxy=mine c busybox env | grep -i proxy
http_proxy=mine
$ http_proxy=http://p:1 kiln commit -q c made >/dev/null; kiln inspect --format '{{.OCIv1.Config.Env}}' made
[PATH=/bin]
"#,
    );
}

#[test]
fn codes_may_be_valid() {
    let Some(env) = with_container("codes_may_be_valid") else { return };
    tell(
        &env,
        r#"
$ kiln run --valid-exit-codes 3,4 c sh -c 'exit 4'
$ kiln run --valid-exit-codes 3,4 c sh -c 'exit 5'
[5]
$ kiln run --valid-exit-codes x c true
! Error: cannot use `--valid-exit-codes=x`: invalid digit found in string
! hint: see `kiln run --help`
[125]
$ kiln run --valid-exit-codes 256 c true
! Error: cannot use `--valid-exit-codes=256`: 256 is not in 0..=255
! hint: see `kiln run --help`
[125]
"#,
    );
}

#[test]
fn the_settings_of_from_hold_for_every_run() {
    let Some(env) = with_container("the_settings_of_from_hold_for_every_run") else { return };
    tell(
        &env,
        r#"
$ mkdir data; echo x >data/x; kiln from -q --name s --add-host db:10.0.0.7 --cap-drop all --ulimit nofile=64 --shm-size 3m --network none -v "$PWD/data:/data" --http-proxy=false --device /dev/null:/dev/hole --security-opt no-new-privileges --pid host localhost/base
s
$ http_proxy=x kiln run s sh -c 'busybox head -n 1 /etc/hosts; busybox grep -E "CapEff|NoNew" /proc/self/status; ulimit -n; cat /data/x; ls /dev/hole; busybox env | busybox grep -c proxy'
10.0.0.7	db
CapEff:	0000000000000000
NoNewPrivs:	1
64
x
/dev/hole
0
[1]
$ kiln run --network host --ulimit nofile=65 --dns 1.1.1.1 --pid private s sh -c 'ulimit -n; busybox grep nameserver /etc/resolv.conf; echo $$'
65
nameserver 1.1.1.1
1
$ kiln from -q --ulimit nosuch=1 localhost/base
! Error: cannot use the limit `nosuch=1`: there is no resource `nosuch`
! hint: write it as NAME=SOFT:HARD, for example `--ulimit nofile=1024:4096`, or `--ulimit host`
[125]
$ kiln from -q --memory lots localhost/base
! Error: cannot use `--memory lots`: it is no size
! hint: write a number with b, k, m or g after it, for example `--memory 512m`
[125]
$ kiln from -q --volume x localhost/base
! Error: cannot use the volume `x`: it is not host:container or host:container:options
! hint: write for example `-v /data:/data:ro`
[125]
"#,
    );
}
