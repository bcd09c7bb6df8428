//! Stories of `kiln doctor`: what it tries, and what it says where something is refused.

use nix::errno::Errno;

use crate::support::refusal::Refusal;
use crate::support::{Env, Need, needs, tell};

#[test]
fn each_thing_is_tried_and_told() {
    let test = "each_thing_is_tried_and_told";
    if !needs(test, &[Need::Root]) {
        return;
    }
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln doctor --format '{{.Name}}'
kernel
seccomp
user namespaces
apparmor restriction
subordinate ids
newuidmap
newer system calls
new /proc
store
overlay
idmapped mounts
fuse-overlayfs
cgroups
network helper
$ kiln doctor | grep -E '^(store|subordinate ids|overlay|seccomp) ' | sed 's,store on .*,store,'
seccomp               works
subordinate ids       not needed  root has all ids
store                 works       <dir>/store
overlay               works
$ kiln doctor --format 'table {{.Name}}\t{{.State}}' | head -n 1
NAME                  STATE
$ kiln doctor --format '{{.Nosuch}}'
! Error: cannot fill in the format `{{.Nosuch}}`: map has no entry for key: Nosuch
! hint: see all fields with --format json
[125]
$ kiln doctor --json --format x
! Error: cannot use `--json` and `--format` together
! hint: see `kiln doctor --help`
[125]
$ kiln doctor unexpected
! Error: cannot understand `unexpected`: `kiln doctor` takes no further word
! hint: see `kiln doctor --help`
[125]
"#,
    );
    let json = env.ok(["doctor", "--json"]);
    let checks: Vec<serde_json::Value> = serde_json::from_str(&json).expect("a list");
    for check in &checks {
        let state = check["state"].as_str().expect("a state");
        assert!(["works", "limited", "missing", "not needed"].contains(&state), "{check}");
        let works = matches!(state, "works" | "not needed");
        assert_eq!(check["fix"].is_null(), works, "what does not work has a fix, and nothing else: {check}");
    }
}

#[test]
fn what_is_refused_is_named_with_its_fix() {
    let test = "what_is_refused_is_named_with_its_fix";
    if !needs(test, &[Need::Root]) {
        return;
    }
    let mut env = Env::new();
    tell(
        &env,
        r#"
$ # An overlay over an overlay is what a store inside a container is.
> unshare -m sh -c 'mkdir lower upper work on; mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none on
> kiln --root "$PWD/on/store" doctor | grep -A 1 -E "^(store|overlay) "; echo
> kiln --root "$PWD/on/store" --storage-driver overlay doctor >told; echo "ends with $?"; grep -A 1 "^overlay " told'
store                 works       <dir>/files/on/store on overlay
overlay               limited     Invalid argument (os error 22)
    fix: put the store on ext4, xfs, btrfs or tmpfs: --root DIR; in a container, on a volume

ends with 1
overlay               missing     Invalid argument (os error 22)
    fix: put the store on ext4, xfs, btrfs or tmpfs: --root DIR; in a container, on a volume
$ PATH=$(dirname "$KILN") kiln doctor --format '{{.Name}}: {{.State}}, {{.Detail}}, {{.Fix}}' >told; grep -E '^(fuse|net)' told
fuse-overlayfs: limited, there is no such program, install it: `apt install fuse-overlayfs` or `dnf install fuse-overlayfs`; or name it with --storage-opt mount_program=FILE
network helper: limited, neither pasta nor slirp4netns is there; containers share the host's network, or have none, install pasta: `apt install passt` or `dnf install passt`
$ echo broken >file; kiln --root "$PWD/file" doctor --format '{{.Name}} {{.State}}' | grep store
store missing
"#,
    );
    env.refuse(Refusal::new(&["openat2", "clone3"], Errno::ENOSYS));
    tell(
        &env,
        r#"
$ kiln doctor | grep -A 1 '^newer'
newer system calls    limited     older ways are used in place of openat2, clone3
    fix: start the container around this with `--security-opt seccomp=unconfined`, or with `--privileged`
"#,
    );
    env.refuse(Refusal::new(&["unshare"], Errno::EPERM));
    tell(
        &env,
        r#"
$ kiln doctor | grep -A 1 '^user namespaces'
user namespaces       limited     Operation not permitted (os error 1)
    fix: start the container around this with `--security-opt seccomp=unconfined`, or with `--privileged`
"#,
    );
}

#[test]
fn an_ordinary_user_is_told_what_root_must_do() {
    let Some(env) = Env::for_user("an_ordinary_user_is_told_what_root_must_do") else { return };
    tell(
        &env,
        r#"
$ kiln doctor | grep -E '^(user namespaces|subordinate ids|newuidmap|overlay) '
user namespaces       works
subordinate ids       works       65536 users, 65536 groups
newuidmap             works
overlay               works
"#,
    );
}
