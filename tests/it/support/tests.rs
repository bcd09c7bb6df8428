//! The support is tested too: a check that cannot fail would let everything pass.

use std::path::Path;

use super::images::write_busybox;
use super::redact::redact;
use super::*;

#[test]
fn redaction_keeps_equal_ids_equal() {
    let long = "0123456789abcdef".repeat(4);
    let other = "f".repeat(64);
    let text =
        format!("{long} sha256:{other} 0123456789ab abc 2026-01-02T03:04:05.6Z 3 minutes ago /x/y/store");
    let expected = "<id-1> sha256:<id-2> <short-1> abc <time> <age> <dir>/store";
    assert_eq!(redact(&text, Path::new("/x/y")), expected);
}

#[test]
fn a_command_gives_its_code_and_both_outputs() {
    let env = Env::new();
    let outcome = env.shell("echo out; echo err >&2; exit 7");
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (7, "out\n", "err\n"));
    assert_eq!(env.shell("kill -TERM $$").code, 128 + 15);
    assert_eq!(env.run("env", ["-u", "PATH", "sh", "-c", "echo ${HOSTNAME:-clean}"]), "clean");
}

#[test]
fn an_ordinary_user_is_one() {
    let Some(env) = Env::for_user("an_ordinary_user_is_one") else { return };
    let outcome =
        env.shell("id -un; id -G | wc -w; touch ours; test -x \"$KILN\"; ! cat /etc/shadow 2>/dev/null");
    assert_eq!(outcome.expect_ok("a shell as the user"), format!("{}\n1", needs::USER));
}

#[test]
fn the_busybox_layout_is_a_whole_image() {
    let test = "the_busybox_layout_is_a_whole_image";
    if !needs(test, &[Need::Busybox, Need::Program("skopeo")]) {
        return;
    }
    let env = Env::new();
    let dir = env.path("layout");
    let id = write_busybox(&dir, "latest").expect("a busybox");
    let raw = env.run("skopeo", ["inspect", "--raw", &format!("oci:{}:latest", dir.display())]);
    assert!(raw.contains(&id), "{raw}");
    let copy = format!("dir:{}", env.path("copy").display());
    env.run("skopeo", ["--insecure-policy", "copy", "-q", &format!("oci:{}:latest", dir.display()), &copy]);
}

#[test]
fn a_real_debian_is_made_once() {
    let Some(tar) = images::debian_tar("a_real_debian_is_made_once") else { return };
    let listed = std::process::Command::new("tar").arg("-tf").arg(&tar).output().expect("tar lists it");
    let names = String::from_utf8_lossy(&listed.stdout);
    assert!(names.lines().any(|name| name == "./etc/debian_version"), "{} is no Debian", tar.display());
}
