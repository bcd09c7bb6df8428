//! Stories of the flags of `kiln run` and of the settings that `kiln from` keeps: what a command sees of each.

use crate::support::{Env, Need, images, needs, tell};

/// A container `c` of a busybox image. `None`, and `test` on the list, where there is no busybox.
fn with_container(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "localhost/base");
    env.ok(["from", "-q", "--name", "c", "oci:layout:localhost/base"]);
    Some(env)
}

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
[125]
$ kiln run --hostname '' c true
! Error: cannot use the host name ``: a host name is one word of at most 64 letters
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
$ kiln run --device /dev/null:/dev/x:r c true
! Error: cannot lend the device `/dev/null` for `r`: only control groups of an OCI runtime keep a command from a part of what a device can do
! hint: use `rw` or `rwm`, or add --runtime runc
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
    env.write(
        "no-mkdir.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#,
    );
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

/// Whether the kernel has a controller in one of its own hierarchies, and we may make groups there.
fn can_limit(test: &str) -> bool {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let there = own.lines().any(|line| {
        line.split(':').nth(1).is_some_and(|names| names.split(',').any(|name| name == "memory"))
    });
    if !there {
        needs::not_run(test, "needs the memory controller of control groups, version 1");
    }
    there
}

#[test]
fn limits_hold_for_all_processes_together() {
    let test = "limits_hold_for_all_processes_together";
    if !can_limit(test) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln run --memory 20m c sh -c 'busybox head -c 60m /dev/zero | busybox tail | busybox wc -c'
0
! Killed
! warning: the kernel ended a process of the command for want of memory
! hint: allow more with --memory
$ kiln run --memory 200m c sh -c 'busybox head -c 60m /dev/zero | busybox tail | busybox wc -c'
62914560
$ kiln run --memory 64m --cgroupns host c sh -c 'busybox grep memory: /proc/self/cgroup' | grep -c '/kiln-[0-9]*-[0-9a-f]*$'
1
$ kiln run --memory 64m c busybox grep memory: /proc/self/cgroup | cut -d: -f2-
memory:/
$ kiln run --cpuset-cpus 0 c busybox grep Cpus_allowed_list /proc/self/status
Cpus_allowed_list:	0
$ kiln run --cpu-shares 512 --cpu-period 50000 --cpu-quota 25000 c true
$ kiln run --cgroup-parent /kiln-story --memory 64m --cgroupns host c busybox grep memory: /proc/self/cgroup | grep -c '/kiln-story/kiln-'; rmdir $(find /sys/fs/cgroup -type d -name kiln-story)
1
$ kiln run --memory lots c true
! Error: cannot use `--memory lots`: it is no size
! hint: write a number with b, k, m or g after it, for example `--memory 512m`
[125]
$ kiln run --memory-swap 5m c true
! Error: cannot use `--memory-swap 5242880`: it is memory and swap together, and there is no limit of memory
! hint: add `--memory`
[125]
$ kiln run --memory 10m --memory-swap 5m c true
! Error: cannot use `--memory-swap 5242880`: it is memory and swap together, and less than --memory
[125]
$ kiln run --cpuset-cpus 999 c true
! Error: cannot set `cpuset.cpus` to `999`: this machine, or the group above, has none of these
! hint: leave it away, or look at /sys/fs/cgroup/cpuset/cpuset.cpus
[125]
$ kiln run --cpuset-cpus x c true
! Error: cannot use `--cpuset-cpus x`: it is no list of numbers
! hint: write for example `--cpuset-cpus 0-3,5`
[125]
$ kiln run --cpu-quota 5 c true
! Error: cannot use `--cpu-quota 5`: it must be 1000 microseconds or more, or -1 for none
[125]
$ kiln run --cgroup-parent ../x c true
! Error: cannot use the control group `../x`: it leads out of where control groups are
! hint: write for example `--cgroup-parent /builds`
[125]
$ find /sys/fs/cgroup -type d -name 'kiln-*'
"#,
    );
}

#[test]
fn a_private_network_reaches_out() {
    let test = "a_private_network_reaches_out";
    if !needs(test, &[Need::Program("pasta")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln run --network private c sh -c 'busybox ifconfig | busybox grep -c "inet addr"; test -n "$(busybox route -n | busybox grep ^0.0.0.0)" && echo routed'
2
routed
$ test "$(kiln run --network pasta c busybox readlink /proc/self/ns/net)" != "$(readlink /proc/self/ns/net)"
$ kiln run --network pasta:--nosuch c true
! Error: cannot make a network for the command: pasta: unrecognized option '--nosuch'; Usage: pasta [OPTION]... [COMMAND] [ARGS]...; pasta [OPTION]... PID; pasta [OPTION]... --netns [PATH|NAME]; Without PID or --netns, run the given command or a; default shell in a new network and user namespace, and; connect it via pasta.; -d, --debug		Be verbose; --trace		Be extra verbose, implies --debug; -q, --quiet		Don't print informational messages; -f, --foreground	Don't run in background; default: run in background if started from a TTY; -e, --stderr		Log to stderr too; default: log to system logger only if started from a TTY; -l, --log-file PATH	Log (only) to given file; --log-size BYTES	Maximum size of log file; default: 1 MiB; --runas UID|UID:GID 	Run as given UID, GID, which can be; numeric, or login and group names; default: drop to user "nobody"; -h, --help		Display this help message and exit; --version		Show version and exit; -I, --ns-ifname NAME	namespace interface name; default: same interface name as external one; -F, --fd FD		Use FD as pre-opened connected socket; -p, --pcap FILE	Log tap-facing traffic to pcap file; -P, --pid FILE	Write own PID to the given file; -m, --mtu MTU	Assign MTU via DHCP/NDP; a zero value disables assignment; default: 65520: maximum 802.3 MTU minus 802.3 header; length, rounded to 32 bits (IPv4 words); -a, --address ADDR	Assign IPv4 or IPv6 address ADDR; can be specified zero to two times (for IPv4 and IPv6); default: use addresses from interface with default route; -n, --netmask MASK	Assign IPv4 MASK, dot-decimal or bits; default: netmask from matching address on the host; -M, --mac-addr ADDR	Use source MAC address ADDR; default: MAC address from interface with default route; -g, --gateway ADDR	Pass IPv4 or IPv6 address as gateway; default: gateway from interface with default route; -i, --interface NAME	Interface for addresses and routes; default: from --outbound-if4 and --outbound-if6, if any; otherwise interface with first default route; -o, --outbound ADDR	Bind to address as outbound source; can be specified zero to two times (for IPv4 and IPv6); default: use source address from routing tables; --outbound-if4 NAME	Bind to outbound interface for IPv4; default: use interface from default route; --outbound-if6 NAME	Bind to outbound interface for IPv6; Failed
! hint: use --network host or none
[125]
$ pgrep -x pasta
[1]
"#,
    );
}

#[test]
fn an_installed_runtime_runs_the_same_command() {
    let test = "an_installed_runtime_runs_the_same_command";
    if !needs(test, &[Need::Program("runc")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    env.write(
        "no-mkdir.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#,
    );
    tell(
        &env,
        r#"
$ kiln run --runtime runc c sh -c 'id; pwd; hostname | busybox wc -c; cat /etc/hostname | busybox wc -c; exit 5'
uid=0(root) gid=0(root) groups=0(root)
/
13
13
[5]
$ kiln run --isolation oci --runtime "$(command -v runc)" --runtime-flag debug --user user --workingdir /made c pwd 2>&1 | grep -v level=debug
/made
$ mkdir data; echo x >data/x; kiln run --runtime runc -v "$PWD/data:/data:ro" --mount type=tmpfs,dst=/t,tmpfs-mode=700 c sh -c 'cat /data/x; touch /data/y; stat -c %a /t'
x
700
! touch: /data/y: Read-only file system
$ for f in "" "--cap-drop all" "--security-opt no-new-privileges" "--user user"; do
>     see() { kiln run "$@" $f c busybox grep -E '^(Cap|NoNew|Seccomp:|Groups)' /proc/self/status; }
>     test "$(see)" = "$(see --runtime runc)" || { echo "$f"; see; see --runtime runc; }
> done
$ kiln run --runtime runc --security-opt seccomp=no-mkdir.json c mkdir /d
! mkdir: can't create directory '/d': No space left on device
[1]
$ kiln run --runtime runc --network none c busybox ifconfig | grep -c LOOPBACK
1
$ kiln run --runtime runc --device /dev/kmsg:/dev/log:r c sh -c ': </dev/log && echo read; : >>/dev/log'
! sh: can't open /dev/log: Operation not permitted
[1]
$ kiln run --runtime runc --uts host --hostname x c sh -c 'test $(hostname) = $HOSTNAME'
$ kiln run --runtime runc --tty c busybox tty | grep -o '/dev/pts/0'
/dev/pts/0
$ kiln run --runtime runc c nosuch 2>&1 | grep -c 'executable file not found'
1
$ kiln run --runtime runc c nosuch 2>/dev/null
[1]
$ kiln run --runtime nosuch c true
! Error: cannot run the OCI runtime `nosuch`: there is no such program
! hint: install it: `apt install runc`, or leave --runtime away: Kiln needs none
[1]
$ BUILDAH_RUNTIME=nosuch kiln run c true
! Error: cannot run the OCI runtime `nosuch`: there is no such program
! hint: install it: `apt install runc`, or leave --runtime away: Kiln needs none
[1]
$ kiln run --runtime runc --runtime-flag nosuch c true 2>&1 | grep -c 'flag provided but not defined'
2
$ kiln run c ls -d /data /t; ls data; grep -c runtime /proc/self/mountinfo
! ls: /data: No such file or directory
! ls: /t: No such file or directory
[1]
"#,
    );
}

#[test]
fn devices_of_a_description_are_lent() {
    let Some(env) = with_container("devices_of_a_description_are_lent") else { return };
    let shown = env.write("lib", "library\n");
    env.write(
        "cdi/acme.json",
        format!(
            r#"{{"cdiVersion": "0.6.0", "kind": "acme.example/gpu", "containerEdits": {{"env": ["ACME=yes"]}},
                "devices": [{{"name": "one", "containerEdits": {{
                    "deviceNodes": [{{"path": "/dev/acme", "hostPath": "/dev/zero"}}],
                    "mounts": [{{"hostPath": "{}", "containerPath": "/lib/acme", "options": ["ro", "nosuid"]}}]}}}},
                    {{"name": "hooked", "containerEdits": {{"hooks": [{{"hookName": "prestart", "path": "/x"}}]}}}}]}}"#,
            shown.display()
        ),
    );
    env.write("cdi/broken.json", "{");
    env.write("cdi/other.yaml", "kind: other.example/net\n");
    env.write("conf", format!("[engine]\ncdi_spec_dirs = [\"{}\"]\n", env.path("cdi").display()));
    tell(
        &env,
        r#"
$ CONTAINERS_CONF=conf kiln run --device acme.example/gpu=one c sh -c 'stat -c "%t:%T" /dev/acme; echo $ACME; cat /lib/acme; echo x >/lib/acme'
1:5
yes
library
! sh: can't create /lib/acme: Read-only file system
[1]
$ CONTAINERS_CONF=conf kiln run --device acme.example/gpu=hooked c true
! Error: cannot use the device `acme.example/gpu=hooked`: its description has hooks, which run programs of the host in the container's place
! hint: name its nodes one by one, with --device /dev/…
[125]
$ CONTAINERS_CONF=conf kiln run --device acme.example/gpu=two c true
! Error: cannot find the device `acme.example/gpu=two`: cannot read `<dir>/files/cdi/broken.json`: EOF while parsing an object at line 1 column 1
! hint: put a description of `acme.example/gpu` as JSON into <dir>/files/cdi
[125]
$ CONTAINERS_CONF=conf kiln run --device other.example/net=one c true
! Error: cannot find the device `other.example/net=one`: cannot read `<dir>/files/cdi/broken.json`: EOF while parsing an object at line 1 column 1
! hint: put a description of `other.example/net` as JSON into <dir>/files/cdi
[125]
$ kiln run --device acme.example/gpu=one c true
! Error: cannot find the device `acme.example/gpu=one`: no description in /etc/cdi, /var/run/cdi has it
! hint: put a description of `acme.example/gpu` as JSON into /etc/cdi
[125]
$ kiln run --device acme.example/gpu= c true
! Error: cannot use the device `acme.example/gpu=`: `acme.example/gpu=` does not start with a slash
! hint: write it as /dev/HOST:/dev/CONTAINER:rwm, for example `--device /dev/fuse`
[125]
"#,
    );
}

#[test]
fn hooks_run_around_a_runtimes_command() {
    let test = "hooks_run_around_a_runtimes_command";
    if !needs(test, &[Need::Program("runc")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    let hook = env.write("hook", "#!/bin/sh\ncat >/dev/null; echo \"$1\" >>told\n");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let told = env.path("told");
    env.write("hook", format!("#!/bin/sh\ncat >/dev/null; echo \"$1\" >>{}\n", told.display()));
    for (name, when) in [
        ("a", r#"{"always": true}"#),
        ("b", r#"{"commands": ["/nosuch$"]}"#),
        ("c", r#"{"commands": ["^sh$"]}"#),
    ] {
        env.write(
            format!("hooks.d/{name}.json"),
            format!(
                r#"{{"version": "1.0.0", "hook": {{"path": "{}", "args": ["hook", "{name}"]}}, "when": {when},
                    "stages": ["prestart"]}}"#,
                hook.display()
            ),
        );
    }
    env.write("conf", format!("[engine]\nhooks_dir = [\"{}\"]\n", env.path("hooks.d").display()));
    tell(
        &env,
        r#"
$ CONTAINERS_CONF=conf kiln run --runtime runc c sh -c 'echo ran'; cat told
ran
a
c
$ CONTAINERS_CONF=conf kiln run c sh -c 'echo ran'; cat told
ran
a
c
$ echo '{' >hooks.d/d.json; CONTAINERS_CONF=conf kiln run --runtime runc c true
! Error: cannot use the hook `<dir>/files/hooks.d/d.json`: EOF while parsing an object at line 2 column 0
! hint: mend or remove it, or leave --runtime away: Kiln itself runs no hooks
[125]
"#,
    );
}

#[test]
fn files_of_the_machine_say_what_is_usual() {
    let Some(env) = with_container("files_of_the_machine_say_what_is_usual") else { return };
    env.write(
        "conf",
        "[containers]\ndefault_capabilities = [\"KILL\"]\ndefault_ulimits = [\"nofile=77:88\"]\nenv = [\"A=conf\", \"PATH=/conf\", \"B\"]\n\
         dns_servers = [\"9.9.9.9\"]\nshm_size = \"3m\"\nutsns = \"host\"\nbase_hosts_file = \"none\"\nnetns = \"none\"\n",
    );
    env.write("bad", "[containers]\ndefault_ulimits = [\"nosuch=1\"]\n");
    env.write("secret/file", "subscribed\n");
    env.write("mounts.conf", format!("{}:/run/secrets\n/nosuch:/x\n", env.path("secret").display()));
    tell(
        &env,
        r#"
$ B=ours CONTAINERS_CONF=conf kiln run --network host c sh -c 'busybox grep CapEff /proc/self/status; ulimit -n; echo $A $B $PATH; busybox grep nameserver /etc/resolv.conf; busybox df -k /dev/shm | busybox awk "END { print \$2 }"'
CapEff:	0000000000000020
77
conf ours /bin
nameserver 9.9.9.9
3072
$ test "$(CONTAINERS_CONF=conf kiln run --dns none c hostname)" = "$(uname -n)"
$ CONTAINERS_CONF=conf kiln run --network host --ulimit nofile=99 --uts private --hostname x c sh -c 'ulimit -n; hostname; cat /etc/hosts'
99
x
127.0.0.1	x
$ CONTAINERS_CONF=bad kiln run c true
! Error: cannot use containers.conf: cannot use the limit `nosuch=1`: there is no resource `nosuch`
! hint: write it as NAME=SOFT:HARD, for example `--ulimit nofile=1024:4096`, or `--ulimit host`
[125]
$ kiln --default-mounts-file mounts.conf run c sh -c 'cat /run/secrets/file; ls /x'
subscribed
! ls: /x: No such file or directory
[1]
"#,
    );
}

#[test]
fn user_namespaces_are_the_callers() {
    let Some(env) = with_container("user_namespaces_are_the_callers") else { return };
    tell(
        &env,
        r#"
$ kiln run --userns host c true
$ kiln run --userns container c true
! Error: cannot use `--userns container`: a container has no user namespace other than the caller's
! hint: as root leave it away; as an ordinary user ids are mapped by /etc/subuid and /etc/subgid
[125]
$ kiln from -q --userns-uid-map 0:100000:65536 localhost/base
! Error: cannot use `--userns-uid-map 0:100000:65536`: a container has no user namespace other than the caller's
! hint: as root leave it away; as an ordinary user ids are mapped by /etc/subuid and /etc/subgid
[125]
$ kiln from -q --userns-uid-map-user me localhost/base
! Error: cannot use `--userns-uid-map-user me`: a container has no user namespace other than the caller's
! hint: as root leave it away; as an ordinary user ids are mapped by /etc/subuid and /etc/subgid
[125]
"#,
    );
}
