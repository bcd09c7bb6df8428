//! A storage that Podman, Buildah and Skopeo share with Kiln, inside of a story's directory.

use super::{Env, Need, images, needs};

/// Sets the story up so that all of them use one storage, `$SHARED`, and Kiln acts on it beside its own store. Their
/// overlay need not work here, unless containers of theirs run.
pub fn share(env: &mut Env) {
    share_with(env, "overlay");
}

/// As [`share`], with another driver.
pub fn share_with(env: &mut Env, driver: &str) {
    let shared = env.store().join("shared");
    // Podman takes no directory of more than 50 characters for what need not survive a reboot.
    let run = env.path("r");
    let conf = format!(
        "[storage]\ndriver = \"{driver}\"\ngraphroot = \"{shared}\"\nrunroot = \"{run}\"\n\
         rootless_storage_path = \"{shared}\"\n",
        shared = shared.display(),
        run = run.display()
    );
    let conf = env.write("storage.conf", conf);
    env.write("policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    env.set("CONTAINERS_STORAGE_CONF", conf.display().to_string());
    env.set("SHARED", shared.display().to_string());
    env.set("KILN_PODMAN", "1");
}

/// A story with such a storage, in which an image `localhost/base` is that Podman pulled.
pub fn with_shared_base(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Program("podman"), Need::Program("buildah"), Need::Program("skopeo")])
    {
        return None;
    }
    let mut env = Env::new();
    share(&mut env);
    images::write_small(&env.path("layout"), "localhost/base");
    env.shell("skopeo --insecure-policy copy -q oci:layout:localhost/base containers-storage:localhost/base")
        .expect_ok("the storage's first image");
    Some(env)
}

/// What is said after `podman run` here: machines differ in which runtime works, and in which limits it may set.
const WORDS: [&str; 2] = ["", "--runtime runc --ulimit nofile=1024:1024 --ulimit nproc=1000:1000"];

/// A story with such a storage in which Podman runs containers, with `podman run $RUN IMAGE`: root's, or an ordinary
/// user's. There is a layout with a busybox, `oci:layout:localhost/base`, and nothing in the storage. `None`, and
/// `test` on the list, where it cannot be told.
pub fn with_runs(test: &str, env: impl FnOnce() -> Option<Env>, driver: &str) -> Option<Env> {
    let programs = ["podman", "buildah", "skopeo", "jq"].map(Need::Program);
    if !needs(test, &[Need::Root, Need::Busybox]) || !needs(test, &programs) {
        return None;
    }
    let mut env = env()?;
    share_with(&mut env, driver);
    env.set("XDG_RUNTIME_DIR", env.path("x").display().to_string());
    images::write_busybox(&env.path("layout"), "localhost/base")?;
    env.shell(
        "mkdir -m 700 x
        skopeo --policy policy.json copy -q oci:layout:localhost/base docker-archive:base.tar:base:1
        podman load -q -i base.tar",
    )
    .expect_ok("Podman's image");
    let runs = |words: &str| env.shell(&format!("podman run --rm --network none {words} base:1 true"));
    let mut said = String::new();
    for words in WORDS {
        let outcome = runs(words);
        if outcome.code == 0 {
            env.shell("podman rmi -a -f >/dev/null").expect_ok("an empty storage");
            env.set("RUN", format!("--rm --network none {words}"));
            return Some(env);
        }
        said = outcome.stderr;
    }
    let why: String = said.lines().last().unwrap_or_default().chars().take(200).collect();
    needs::not_run(test, &format!("podman runs no container here: {why}"));
    None
}
