//! Kernels and filters that refuse newer system calls: all works as with them, in both ways of refusing.

use nix::errno::Errno;

use crate::restricted::{every_verb, with_busybox};
use crate::support::refusal::Refusal;
use crate::support::{Env, Need, images, needs, tell};

/// Tells the story with and without these calls.
fn works_without(test: &str, calls: &[&str]) {
    let Some(env) = with_busybox(test) else { return };
    let expected = every_verb(&env);
    for errno in [Errno::ENOSYS, Errno::EPERM] {
        let mut env = with_busybox(test).expect("it was there a moment ago");
        env.refuse(Refusal::new(calls, errno));
        assert_eq!(every_verb(&env), expected, "{calls:?} refused with {errno}");
        tell(
            &env,
            r#"
$ kiln from -q --name o made
o
$ kiln run -v "$PWD/host:/host:O" o sh -c 'cat /host/f; echo >/host/g && ls /host'
host
f
g
$ kiln run -v "$PWD/host:/host:ro,slave" o sh -c 'echo >/host/g || echo read-only' 2>/dev/null
read-only
"#,
        );
    }
}

#[test]
fn openat2() {
    works_without("openat2", &["openat2"]);
}

#[test]
fn clone3() {
    works_without("clone3", &["clone3"]);
}

#[test]
fn mount_setattr() {
    works_without("mount_setattr", &["mount_setattr"]);
}

#[test]
fn fsopen() {
    works_without("fsopen", &["fsopen"]);
}

#[test]
fn fsconfig() {
    works_without("fsconfig", &["fsconfig"]);
}

#[test]
fn fsmount() {
    works_without("fsmount", &["fsmount"]);
}

#[test]
fn all_at_once() {
    let calls =
        ["openat2", "clone3", "fsopen", "fsconfig", "fsmount", "mount_setattr", "close_range", "faccessat2"];
    works_without("all_at_once", &calls);
}

#[test]
fn what_nothing_stands_in_for_is_named() {
    let test = "what_nothing_stands_in_for_is_named";
    for call in ["open_tree", "move_mount"] {
        for errno in [Errno::ENOSYS, Errno::EPERM] {
            let Some(mut env) = with_busybox(test) else { return };
            env.ok(["from", "-q", "--name", "c", "oci:layout:localhost/base"]);
            env.refuse(Refusal::new(&[call], errno));
            let said = env.fails(125, ["run", "c", "true"]);
            let begin =
                format!("Error: cannot mount anything here: {call} is refused, and there is no older way: ");
            let hint = "hint: start the container around this with `--security-opt seccomp=unconfined`";
            assert!(said.starts_with(&begin) && said.contains(hint), "{said}");
            let doctor = env.kiln(["doctor"]).stdout;
            let line = format!("missing     nothing stands in for {call}: nothing can be mounted");
            assert!(doctor.contains(&line), "{doctor}");
        }
    }
}

#[test]
fn overlay_that_takes_no_list_of_layers() {
    let test = "overlay_that_takes_no_list_of_layers";
    if !needs(test, &[Need::Program("strace")]) {
        return;
    }
    let Some(env) = with_busybox(test) else { return };
    let expected = every_verb(&env);
    let mut env = with_busybox(test).expect("it was there a moment ago");
    // The second call is for the first layer; a kernel before 6.5 knows no parameter of that name.
    env.trace("-e trace=fsconfig -e inject=fsconfig:error=EINVAL:when=2");
    assert_eq!(every_verb(&env), expected);
}

#[test]
fn an_ordinary_user() {
    let test = "an_ordinary_user";
    if !needs(test, &[Need::Program("strace"), Need::Busybox]) {
        return;
    }
    for errno in ["ENOSYS", "EPERM"] {
        for calls in [&["openat2"][..], &["fsopen", "fsconfig", "fsmount"], &["mount_setattr"], &["clone3"]] {
            // What helps against this is a filter of Kiln's own, and strace answers before filters are asked.
            if calls == ["clone3"] && errno == "EPERM" {
                continue;
            }
            let Some(mut env) = Env::for_user(test) else { return };
            images::write_busybox(&env.path("layout"), "localhost/base");
            let inject: Vec<String> =
                calls.iter().map(|call| format!("-e inject={call}:error={errno}")).collect();
            env.trace(&format!("-e trace={} {}", calls.join(","), inject.join(" ")));
            tell(
                &env,
                r#"
$ kiln from -q --name c oci:layout:localhost/base
c
$ kiln run c sh -c 'id -u; touch /f; chown 33:44 /f; rm -r /home; echo x >/proc/sys/kernel/core_pattern || echo ro'
0
ro
! sh: can't create /proc/sys/kernel/core_pattern: Read-only file system
$ kiln run --user user c sh -c 'id -u; ls -A /sys | head -n 1; echo >/sys/x || echo ro'
1000
block
ro
! sh: can't create /sys/x: Read-only file system
$ kiln unshare sh -c 'stat -c "%n %u:%g" $(kiln mount c)/f' | sed 's,.*/,,'
f 33:44
$ kiln commit -q --timestamp 0 c made | wc -l
1
$ kiln from -q --name d made; kiln run d sh -c 'stat -c %u:%g /f; ls -d /home'
d
33:44
! ls: /home: No such file or directory
[1]
$ kiln rm c d | wc -l
2
"#,
            );
        }
    }
}
