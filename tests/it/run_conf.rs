//! Stories of containers.conf: what it says of commands holds for `run` and `build` alike.

use crate::support::{Need, needs, tell, with_container};

#[test]
fn a_build_has_the_defaults_of_the_machine() {
    let Some(env) = with_container("a_build_has_the_defaults_of_the_machine") else { return };
    env.write("shown/file", "shown\n");
    env.write("secret/file", "subscribed\n");
    env.write("mounts.conf", format!("{}:/run/secrets\n", env.path("secret").display()));
    env.write(
        "conf",
        format!(
            "[containers]\ndefault_capabilities = [\"KILL\"]\ndefault_ulimits = [\"nofile=77:88\"]\n\
             env = [\"A=conf\", \"PATH=/conf\", \"B\"]\ndns_servers = [\"9.9.9.9\"]\nshm_size = \"3m\"\n\
             umask = \"0027\"\ndefault_sysctls = [\"kernel.shmmax=4096\"]\nutsns = \"host\"\n\
             base_hosts_file = \"none\"\nhost_containers_internal_ip = \"192.0.2.7\"\n\
             devices = [\"/dev/null:/dev/mine\"]\nmounts = [\"type=tmpfs,dst=/in-memory\"]\n\
             volumes = [\"{}:/shown:ro\"]\n",
            env.path("shown").display()
        ),
    );
    env.write("strict", "[containers]\nseccomp_profile = \"profile.json\"\n");
    env.write(
        "profile.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#,
    );
    env.write("bad", "[containers]\ndefault_ulimits = [\"nosuch=1\"]\n");
    env.write(
        "c/Dockerfile",
        "FROM localhost/base\n\
         RUN busybox grep CapEff /proc/self/status; ulimit -n; umask; echo $A $B $PATH\n\
         RUN cat /shown/file /run/secrets/file; (echo x >/shown/file) 2>&1 || stat -c %F /dev/mine\n\
         RUN busybox grep nameserver /etc/resolv.conf; busybox grep internal /etc/hosts\n\
         RUN busybox df -k /dev/shm | busybox awk 'END { print $2 }'; cat /proc/sys/kernel/shmmax\n\
         RUN busybox df -T /in-memory | busybox awk 'END { print $2 }'; hostname >/name\n",
    );
    env.write("strict.d/Dockerfile", "FROM localhost/base\nRUN mkdir /new || echo refused\n");
    tell(
        &env,
        r#"
$ export B=ours CONTAINERS_CONF=conf; kiln --default-mounts-file mounts.conf build -t made c 2>told; grep -v '^STEP\|^COMMIT\|^Succ' told
<id-1>
CapEff:	0000000000000020
77
0027
conf ours /bin
shown
subscribed
/bin/sh: can't create /shown/file: Read-only file system
character special file
nameserver 9.9.9.9
192.0.2.7	host.containers.internal host.docker.internal
3072
4096
tmpfs
$ kiln from -q --name made made; test "$(kiln run made cat /name)" = "$(uname -n)"
made
$ CONTAINERS_CONF=strict kiln build strict.d 2>&1 | grep refused | tail -n 1
refused
$ CONTAINERS_CONF=bad kiln build c
! Error: cannot use containers.conf: cannot use the limit `nosuch=1`: there is no resource `nosuch`
! hint: write it as NAME=SOFT:HARD, for example `--ulimit nofile=1024:4096`, or `--ulimit host`
[125]
$ # The flags of a build count more, and another file makes another step.
> export CONTAINERS_CONF=conf; kiln build --ulimit nofile=99 -t made c 2>&1 | grep -A1 CapEff; CONTAINERS_CONF= kiln build c 2>&1 | grep -c CapEff
STEP 2/6: RUN busybox grep CapEff /proc/self/status; ulimit -n; umask; echo $A $B $PATH
CapEff:	0000000000000020
99
2
$ printf '[containers]\nhost_containers_internal_ip = "nowhere"\n' >conf; CONTAINERS_CONF=conf kiln run c true
! Error: cannot use containers.conf: cannot use host_containers_internal_ip `nowhere`: invalid IP address syntax
! hint: see containers.conf(5), or name another file with CONTAINERS_CONF=FILE
[125]
$ printf '[containers]\nhost_containers_internal_ip = "none"\n' >conf; CONTAINERS_CONF=conf kiln run c busybox grep -c internal /etc/hosts
0
[1]
$ kiln rm made | wc -l
1
"#,
    );
}

#[test]
fn runtimes_are_where_the_files_say() {
    let test = "runtimes_are_where_the_files_say";
    if !needs(test, &[Need::Program("runc")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    let told = env.path("told");
    env.write("mine", format!("#!/bin/sh\necho \"$*\" >>{}\nexec runc \"$@\"\n", told.display()));
    env.write(
        "conf",
        format!(
            "[engine]\nruntime = \"mine\"\n[engine.runtimes]\nmine = [\"/nosuch/mine\", \"{}\"]\n",
            env.path("mine").display()
        ),
    );
    tell(
        &env,
        r#"
$ chmod +x mine; CONTAINERS_CONF=conf kiln run --runtime mine c echo ran; grep -c -e --bundle told
ran
1
$ kiln run --runtime mine c true
! Error: cannot run the OCI runtime `mine`: there is no such program
! hint: install it: `apt install runc`, or leave --runtime away: Kiln needs none
[1]
$ # Options are for a runtime, and so one runs: the usual one.
> rm told; CONTAINERS_CONF=conf kiln run --runtime-flag log-format=json c echo ran; grep -c -e '--log-format=json run' told
ran
1
$ printf 'FROM localhost/base\nRUN echo built\n' >Dockerfile; rm told; CONTAINERS_CONF=conf kiln build --runtime-flag log-format=json . 2>&1 | grep '^built'; wc -l <told
built
1
$ kiln run --runtime-flag nosuch c true 2>&1 | grep -c nosuch
2
$ kiln run --isolation chroot --runtime-flag debug c true
! Error: cannot pass options to the runtime: with the isolation `chroot` none is started
! hint: leave --runtime-flag away, or use --isolation oci
[125]
"#,
    );
}

#[test]
fn files_of_the_machine_choose_the_network_program() {
    let test = "files_of_the_machine_choose_the_network_program";
    let needed = [Need::Program("slirp4netns"), Need::Program("pasta"), Need::File("/dev/net/tun")];
    if !needs(test, &needed) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    let mine = env.path("mine");
    env.write("mine", "#!/bin/sh\nexec slirp4netns \"$@\"\n");
    env.write(
        "conf",
        format!(
            "[network]\ndefault_rootless_network_cmd = \"slirp4netns\"\npasta_options = [\"--mtu\", \"1400\"]\n\
             [engine]\nnetwork_cmd_options = [\"cidr=10.9.8.0/24\"]\nnetwork_cmd_path = \"{}\"\n",
            mine.display()
        ),
    );
    env.write("bad", "[network]\ndefault_rootless_network_cmd = \"vpnkit\"\n");
    tell(
        &env,
        r#"
$ chmod +x mine; export CONTAINERS_CONF=conf; kiln run --network private c busybox ip -o -4 addr show tap0 | busybox awk '{ print $4 }'
10.9.8.100/24
$ CONTAINERS_CONF=conf kiln run --network slirp4netns:mtu=1300 c busybox ip -o link show tap0 | grep -o 'mtu 1300'
mtu 1300
$ CONTAINERS_CONF=conf kiln run --network slirp4netns:cidr=10.7.8.0/24 c busybox ip -o -4 addr show tap0 | busybox awk '{ print $4 }'
10.7.8.100/24
$ CONTAINERS_CONF=conf kiln run --network pasta c busybox ip -o link | grep -o 'mtu 1400'
mtu 1400
$ rm mine; CONTAINERS_CONF=conf kiln run --network private c true
! Error: cannot make a network for the command: there is no program `slirp4netns`
! hint: install pasta: `apt install passt` or `dnf install passt`, or use --network host or none
[125]
$ CONTAINERS_CONF=bad kiln run c true
! Error: cannot use containers.conf: cannot use default_rootless_network_cmd `vpnkit`: it is neither pasta nor slirp4netns
! hint: see containers.conf(5), or name another file with CONTAINERS_CONF=FILE
[125]
"#,
    );
}

#[test]
fn commands_of_a_build_have_one_network_after_the_other() {
    let test = "commands_of_a_build_have_one_network_after_the_other";
    if !needs(test, &[Need::Program("pasta"), Need::File("/dev/net/tun")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    let told = env.path("told");
    let script = format!("#!/bin/sh\necho started >>{}\nexec /usr/bin/pasta \"$@\"\n", told.display());
    env.write("helpers/pasta", script);
    // The default is reckoned too: a setting of its own is part of a network.
    let sysctl = "[containers]\ndefault_sysctls = [\"net.ipv4.ping_group_range=0 0\"]\n";
    let helpers = env.path("helpers");
    env.write("conf", format!("{sysctl}[engine]\nhelper_binaries_dir = [\"{}\"]\n", helpers.display()));
    env.write(
        "c/Dockerfile",
        "FROM localhost/base\n\
         RUN busybox readlink /proc/self/ns/net >/net; busybox ip route | busybox grep -c default\n\
         RUN test $(busybox readlink /proc/self/ns/net) = $(cat /net) && busybox ip route | busybox grep -c default\n\
         RUN busybox ip -o link show lo | busybox grep -c LOOPBACK,UP; ls /sys/class/net | busybox wc -l\n",
    );
    tell(
        &env,
        r#"
$ chmod +x helpers/pasta; export CONTAINERS_CONF=conf; kiln build --network private -t made c 2>&1 | grep '^[0-9]$'; wc -l <told
1
1
1
2
1
$ # One that could change its network has it alone.
> rm told; export CONTAINERS_CONF=conf; kiln build --no-cache --network private --cap-add NET_ADMIN c >out 2>&1 || wc -l <told; grep -c 'it ends with exit code 1' out
2
1
$ rm told; export CONTAINERS_CONF=conf KILN_NETWORK_KEEP=0; kiln run --network private c true; kiln run --network private c true; wc -l <told
2
"#,
    );
}
