//! Stories of what `kiln run` takes from the machine: control groups, networks, runtimes, descriptions of devices,
//! hooks, the files that say what is usual.

use crate::support::{NO_MKDIR, Need, needs, tell, with_container};

/// Whether the kernel has this controller in a hierarchy of its own.
fn has_controller(controller: &str) -> bool {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    own.lines().any(|line| {
        line.split(':').nth(1).is_some_and(|names| names.split(',').any(|name| name == controller))
    })
}

/// Whether limits can be tried.
fn can_limit(test: &str) -> bool {
    let there = has_controller("memory");
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
$ kiln run --cgroup-parent /kiln-story --memory 64m --cgroupns host c busybox grep memory: /proc/self/cgroup | grep -c '/kiln-story/kiln-'; find /sys/fs/cgroup -type d -name kiln-story
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
! Error: cannot use the control group `../x`: it leads out of where control groups are, or is no path of one
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
! Error: cannot make a network for the command: pasta: unrecognized option '--nosuch'
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
    env.write("no-mkdir.json", NO_MKDIR);
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
fn devices_are_lent_in_part() {
    let test = "devices_are_lent_in_part";
    if !has_controller("devices") {
        needs::not_run(test, "needs the controller `devices` of control groups, version 1");
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln run --device /dev/full:/dev/x:r c sh -c 'busybox head -c 2 /dev/x | busybox wc -c; echo >/dev/x'
2
! sh: can't create /dev/x: Operation not permitted
[1]
$ kiln run --device /dev/zero:/dev/x:w --device /dev/full:/dev/y:wm c sh -c 'echo >/dev/x; cat /dev/x; cat /dev/y'
! cat: can't open '/dev/x': Operation not permitted
! cat: can't open '/dev/y': Operation not permitted
[1]
$ kiln run --device /dev/full:/dev/x:r --memory 64m --cgroupns host c sh -c 'busybox grep -E "devices|memory" /proc/self/cgroup | busybox grep -c kiln-; echo >/dev/x'
2
! sh: can't create /dev/x: Operation not permitted
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
                    {{"name": "hooked", "containerEdits":
                     {{"hooks": [{{"hookName": "prestart", "path": "/x"}}]}}}}]}}"#,
            shown.display()
        ),
    );
    env.write("cdi/broken.json", "{");
    env.write(
        "cdi/other.yaml",
        "cdiVersion: 0.6.0\nkind: other.example/net\ndevices:\n- name: one\n  containerEdits:\n    env: [NET=one]\n    \
         deviceNodes:\n    - path: /dev/net-one\n      hostPath: /dev/full\n",
    );
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
! Error: cannot use the device `acme.example/gpu=hooked`: its description has hooks: programs of the host that only an OCI runtime starts
! hint: add --runtime runc, or name its nodes one by one: --device /dev/…
[125]
$ CONTAINERS_CONF=conf kiln run --device acme.example/gpu=two c true
! Error: cannot find the device `acme.example/gpu=two`: cannot read `<dir>/files/cdi/broken.json`: EOF while parsing an object at line 1 column 1
! hint: put a description of `acme.example/gpu` into <dir>/files/cdi
[125]
$ CONTAINERS_CONF=conf kiln run --device other.example/net=one c sh -c 'stat -c "%t:%T" /dev/net-one; echo $NET'
1:7
one
$ kiln run --cdi-config-dir cdi --device other.example/net=one c sh -c 'echo $NET'
one
$ kiln from -q --name kept --cdi-config-dir "$PWD/cdi" --device other.example/net=one localhost/base; kiln run kept sh -c 'echo $NET'
kept
one
$ kiln run --device acme.example/gpu=one c true
! Error: cannot find the device `acme.example/gpu=one`: no description in /etc/cdi, /var/run/cdi has it
! hint: put a description of `acme.example/gpu` into /etc/cdi
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
        "[containers]\ndefault_capabilities = [\"KILL\"]\ndefault_ulimits = [\"nofile=77:88\"]\n\
         env = [\"A=conf\", \"PATH=/conf\", \"B\"]\n\
         dns_servers = [\"9.9.9.9\"]\nshm_size = \"3m\"\n\
         utsns = \"host\"\nbase_hosts_file = \"none\"\nnetns = \"none\"\n",
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
127.0.0.1	host.containers.internal host.docker.internal
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
fn files_of_the_machine_set_variables_of_ours_and_settings_of_the_kernel() {
    let test = "files_of_the_machine_set_variables_of_ours_and_settings_of_the_kernel";
    let Some(env) = with_container(test) else { return };
    env.write("engine", "[engine]\nenv = [\"BUILDAH_HISTORY=true\", \"BUILDAH_ISOLATION=nosuch\"]\n");
    env.write("odd", "[engine]\nenv = [\"NAME\"]\n");
    env.write(
        "conf",
        "[containers]\numask = \"0027\"\n\
         default_sysctls = [\"net.ipv4.ping_group_range=7 9\", \"kernel.shmmax=4096\"]\n",
    );
    env.write("machine", "[containers]\ndefault_sysctls = [\"kernel.core_pattern=x\"]\n");
    env.write("outside", "[containers]\ndefault_sysctls = [\"net.../../kernel.core_pattern=x\"]\n");
    env.write("value", "[containers]\ndefault_sysctls = [\"net.ipv4.ping_group_range=many\"]\n");
    env.write("mask", "[containers]\numask = \"8\"\n");
    tell(
        &env,
        r#"
$ export CONTAINERS_CONF=engine; kiln run --isolation oci c true; BUILDAH_HISTORY=false kiln run --isolation oci c false
[1]
$ CONTAINERS_CONF=engine kiln run c true
! Error: cannot use the isolation `nosuch`: there is none of this name
! hint: use --isolation oci, rootless or chroot
[125]
$ CONTAINERS_CONF=odd kiln run c true
! Error: cannot use `NAME` of engine.env in containers.conf: it is not NAME=VALUE
[125]
$ kiln run --add-history c sh -c 'echo "two words"'
two words
$ kiln config --shell '/bin/sh -x' c 2>/dev/null; BUILDAH_HISTORY=TRUE kiln run c true
$ kiln commit -q c made | wc -l; kiln history --no-trunc --format '{{.CreatedBy}}' made
1
/bin/sh -x
/bin/sh -x true
/bin/sh -c sh -c echo "two words"
/bin/sh -c true
written by hand
$ export CONTAINERS_CONF=conf; kiln run --network none c sh -c 'umask; cd /proc/sys; cat net/ipv4/ping_group_range kernel/shmmax; touch /f; stat -c %a /f'
0027
7	9
4096
640
$ export CONTAINERS_CONF=conf; kiln run --network host --ipc host c sh -c 'cat /proc/sys/kernel/shmmax' | grep -c '^4096$'
0
[1]
$ for conf in machine outside value mask; do CONTAINERS_CONF=$conf kiln run --network none c true || echo $?; done
125
125
125
125
! Error: cannot set `kernel.core_pattern`: it is no setting that a container has of its own
! hint: net.*, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.* are
! Error: cannot set `net.../../kernel.core_pattern`: it is no setting that a container has of its own
! hint: net.*, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.* are
! Error: cannot set `net.ipv4.ping_group_range` to `many`: Invalid argument (os error 22)
! hint: correct default_sysctls in containers.conf, or leave --network and --ipc away
! Error: cannot use containers.conf: cannot use the umask `8`: it is not octal, 0 to 0777
! hint: see containers.conf(5), or name another file with CONTAINERS_CONF=FILE
"#,
    );
}

#[test]
fn a_private_network_without_pasta() {
    let test = "a_private_network_without_pasta";
    if !needs(test, &[Need::Program("slirp4netns"), Need::File("/dev/net/tun")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln run --network slirp4netns c sh -c 'busybox ip -o -4 addr show tap0 | busybox awk "{ print \$4 }"; busybox ip route | busybox head -n 1 | busybox cut -d" " -f1-3'
10.0.2.100/24
default via 10.0.2.2
$ kiln run --network slirp4netns:cidr=10.9.8.0/24,mtu=1400 c sh -c 'busybox ip -o -4 addr show tap0 | busybox awk "{ print \$4 }"; busybox ip -o link show tap0 | busybox grep -o "mtu 1400"'
10.9.8.100/24
mtu 1400
$ mkdir only; ln -s "$(command -v slirp4netns)" only/; PATH=$PWD/only "$KILN" run --network private c busybox ip -o -4 addr show tap0 | cut -d' ' -f2
tap0
$ kiln run --network slirp4netns:port_handler=slirp4netns c true
! Error: cannot use the network option `port_handler=slirp4netns`: slirp4netns is not told so here
! hint: use cidr=NET/BITS, mtu=N, allow_host_loopback=BOOL, enable_ipv6=BOOL, outbound_addr=ADDRESS
[125]
$ kiln run --network slirp4netns:allow_host_loopback=true --add-host h:host-gateway c busybox head -n 1 /etc/hosts
10.0.2.2	h
$ mkdir none; PATH=$PWD/none "$KILN" run --network private c true
! Error: cannot make a network for the command: there is no program `pasta`
! hint: install pasta: `apt install passt` or `dnf install passt`, or use --network host or none
[125]
"#,
    );
}
