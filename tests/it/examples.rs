//! Every script in `examples/` runs, as written, as root and as an ordinary user where that is what it is for.

use std::path::PathBuf;

use crate::support::{Env, Need, needs};

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
