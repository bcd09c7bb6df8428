//! Stories of Kiln in a container: one of its own, with the filter and the capabilities that containers usually have.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Env, Need, needs, tell, with_container, with_container_for_user};

/// Has `in ARGUMENTS` run `kiln` in the container `outer`, which sees the machine's programs.
fn nest(env: &Env, user: &str) {
    let script = env.write(
        "in",
        format!(
            "#!/bin/sh\nmkdir -p inner; chmod 777 inner\n\
             exec kiln run --network host {user} --env HOME=/tmp --env KILN_ROOT=/inner/store \
             -v /usr:/usr:ro -v /bin:/bin:ro -v /lib:/lib:ro -v /lib64:/lib64:ro \
             -v \"$(readlink -f \"$KILN\"):/kiln:ro\" -v \"$PWD:/files\" -v \"$PWD/inner:/inner\" \
             --workingdir /files c /kiln \"$@\"\n"
        ),
    );
    std::fs::set_permissions(script, PermissionsExt::from_mode(0o777)).expect("it can be run");
}

/// What works there as anywhere; `id` is what a command says of itself.
const STORY: &str = r#"
$ ./in from -q --name i oci:layout:localhost/base; ./in run i sh -c 'id -u; echo made >/made' 2>/dev/null
i
0
$ ./in run --isolation chroot i cat /made 2>&1; ./in run --network none i busybox ip link 2>/dev/null | grep -c LOOPBACK,UP
made
1
$ ./in commit -q --timestamp 0 i made >id; kiln from -q --name o oci:layout:localhost/base; kiln run o sh -c 'echo made >/made'; kiln commit -q --timestamp 0 o made | diff - id && echo the same image
o
the same image
$ # Each with what is to be done about it, in the words of `doctor`.
> ./in doctor >told; ./in run --memory 20m i true
! Error: cannot limit the command: there is no control group with the controller `memory` that we may use here
! hint: delegate control groups: `systemctl edit user@.service` with `[Service] Delegate=cpu cpuset memory pids`; in a container: start that with `--cgroupns=private` and a writable /sys/fs/cgroup
[125]
$ ./in run i true
! warning: the kernel allows no new /proc here (Operation not permitted (os error 1)), so the command sees the one outside
! hint: start the container around this with `--security-opt unmask=ALL`
$ grep -c 'Delegate=cpu cpuset memory pids' told; grep -c 'unmask=ALL' told
1
1
$ printf '[containers]\ndefault_sysctls = ["net.ipv4.ping_group_range=0 0"]\n' >conf; CONTAINERS_CONF=conf kiln run --network none o cat /proc/sys/net/ipv4/ping_group_range
0	0
$ sed -i 's/--env HOME/--env CONTAINERS_CONF=conf --env HOME/' in; ./in run --network none i true 2>&1 | grep ping
warning: `net.ipv4.ping_group_range` stays as it is: /proc/sys is read-only here
"#;

#[test]
fn root_of_a_container() {
    let test = "root_of_a_container";
    if !needs(test, &[Need::File("/lib64")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    nest(&env, "");
    tell(&env, STORY);
}

#[test]
fn a_user_of_a_container() {
    let test = "a_user_of_a_container";
    if !needs(test, &[Need::File("/lib64")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    nest(&env, "--user 1000");
    tell(&env, STORY);
}

#[test]
fn an_ordinary_users_container() {
    let test = "an_ordinary_users_container";
    if !needs(test, &[Need::File("/lib64")]) {
        return;
    }
    let Some(env) = with_container_for_user(test) else { return };
    nest(&env, "");
    tell(&env, STORY);
}
