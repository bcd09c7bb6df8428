//! Every script in `examples/` runs, as written, as root and as an ordinary user where that is what it is for.

use std::path::PathBuf;

use crate::support::{Env, Need, images, needs};

/// The scripts, and whether an ordinary user runs them too.
const SCRIPTS: [(&str, bool); 4] =
    [("hello.sh", true), ("buildah-session.sh", true), ("debootstrap.sh", false), ("minimal-dnf.sh", false)];

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Runs one script from a copy that everyone may read, in a directory of its own.
fn run(env: &Env, name: &str) -> String {
    let script = env.write(name, std::fs::read(directory().join(name)).expect("the example"));
    env.run("bash", [script])
}

#[test]
fn every_example_is_run_by_a_test() {
    let mut names: Vec<String> = std::fs::read_dir(directory())
        .expect("the examples")
        .map(|item| item.expect("a name").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".sh"))
        .collect();
    names.sort();
    let mut known: Vec<&str> = SCRIPTS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names, known);
}

/// The example program, which `cargo test` builds beside the command.
fn library() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_kiln"));
    binary.parent().expect("a directory of binaries").join("examples/library")
}

#[test]
fn the_library_example_makes_the_same_image_twice() {
    if !needs("the_library_example_makes_the_same_image_twice", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    let file = env.write("greeting", "hello\n");
    let make = || env.run(library().to_str().expect("a plain path"), [env.store(), file.clone()]);
    let id = make();
    assert!(id.starts_with("sha256:"), "{id}");
    assert_eq!(make(), id);
    assert_eq!(env.ok(["inspect", "--format", "{{.OCIv1.Config.Cmd}}", "example"]), "[/greeting]");
}

#[test]
fn hello_runs() {
    if needs("hello_runs", &[Need::Root]) {
        assert!(run(&Env::new(), "hello.sh").ends_with("Hello from an image made of one file."));
    }
}

#[test]
fn hello_runs_for_an_ordinary_user() {
    let Some(env) = Env::for_user("hello_runs_for_an_ordinary_user") else { return };
    assert!(run(&env, "hello.sh").ends_with("Hello from an image made of one file."));
}

#[test]
fn a_buildah_session_runs() {
    if needs("a_buildah_session_runs", &[Need::Root, Need::Busybox]) {
        assert!(run(&Env::new(), "buildah-session.sh").ends_with("the session is done"));
    }
}

#[test]
fn a_buildah_session_runs_for_an_ordinary_user() {
    let test = "a_buildah_session_runs_for_an_ordinary_user";
    let Some(env) = Env::for_user(test) else { return };
    if needs(test, &[Need::Busybox]) {
        assert!(run(&env, "buildah-session.sh").ends_with("the session is done"));
    }
}

#[test]
fn a_debian_is_bootstrapped() {
    let test = "a_debian_is_bootstrapped";
    if !needs(test, &[Need::Root, Need::Program("debootstrap")]) || images::debian_tar(test).is_none() {
        return;
    }
    let env = Env::new();
    let id = run(&env, "debootstrap.sh");
    assert!(id.lines().last().is_some_and(|id| id.len() == 64), "{id}");
    let container = env.ok(["from", "--name", "debian", id.lines().last().unwrap_or_default()]);
    assert_eq!(
        env.ok(["run", &container, "--", "dpkg-query", "-W", "-f", "${Status}", "dpkg"]),
        "install ok installed"
    );
    env.ok(["rm", "debian"]);
}

#[test]
fn packages_are_installed_into_a_mounted_container() {
    let test = "packages_are_installed_into_a_mounted_container";
    let programs = [Need::Program("dnf"), Need::Program("rpmbuild"), Need::Program("createrepo_c")];
    if !needs(test, &[&[Need::Root], &programs[..]].concat()) {
        return;
    }
    let env = Env::new();
    let repository = env.path("repository");
    images::write_rpm_repository(&env, &repository);
    let script =
        env.write("minimal-dnf.sh", std::fs::read(directory().join("minimal-dnf.sh")).expect("the example"));
    env.run("bash", [script.as_os_str(), repository.as_os_str(), "kiln-hello".as_ref()]);
    let container = env.ok(["from", "localhost/minimal"]);
    let root = env.ok(["mount", &container]);
    let stat = env.run("stat", ["-c", "%a %u %G", &format!("{root}/var/lib/kiln-files/setuid")]);
    assert_eq!(stat, "4755 0 root");
    let link = env.run("readlink", [format!("{root}/var/lib/kiln-files/link")]);
    assert_eq!(link, "owned");
    assert_eq!(env.run("cat", [format!("{root}/usr/bin/kiln-hello")]), "hello");
    env.ok(["rm", &container]);
}

#[test]
fn a_buildah_session_runs_under_that_name() {
    if needs("a_buildah_session_runs_under_that_name", &[Need::Root, Need::Busybox]) {
        let env = Env::new();
        env.write("session.sh", std::fs::read(directory().join("buildah-session.sh")).expect("the example"));
        let said = env.shell_as_buildah("unset KILN; bash session.sh").expect_ok("the session");
        assert!(said.ends_with("the session is done"), "{said}");
        assert!(env.store().exists(), "it was not this program that answered to the name");
    }
}
