//! A storage that Podman, Buildah and Skopeo share with Kiln, inside of a story's directory.

use super::Env;

/// Sets the story up so that all of them use one storage, `$SHARED`, and Kiln acts on it beside its own store. Their
/// overlay need not work here: no command of theirs mounts one.
pub fn share(env: &mut Env) {
    let shared = env.store().join("shared");
    // Podman takes no directory of more than 50 characters for what need not survive a reboot.
    let run = env.path("r");
    let conf = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = \"{shared}\"\nrunroot = \"{run}\"\n\
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
    use super::{Need, images, needs};
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
