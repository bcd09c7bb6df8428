//! Every kind of place with the tools of the field, in both directions: what one writes the other opens, and the ids
//! and digests are the same.

use crate::support::{Env, Need, images, needs};

/// The places that hold one image each, as they are written by name.
const PLACES: [&str; 4] =
    ["oci:{}:x", "oci-archive:{}.tar:x", "docker-archive:{}.tar:localhost/x:1", "dir:{}"];

fn place(form: &str, name: &str) -> String {
    form.replace("{}", name)
}

#[test]
fn skopeo_opens_every_place_we_write_and_we_what_it_writes() {
    let test = "skopeo_opens_every_place_we_write_and_we_what_it_writes";
    if !needs(test, &[Need::Root, Need::Program("skopeo")]) {
        return;
    }
    let env = Env::new();
    let id = images::write_small(&env.path("layout"), "localhost/base");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    for form in PLACES {
        let (ours, theirs) = (place(form, "ours"), place(form, "theirs"));
        env.ok(["push", "-q", "base", &ours]);
        let config = env.run("skopeo", ["inspect", "--config", "--raw", &ours]);
        assert_eq!(sha256(&config), id, "{ours}");
        env.run("skopeo", ["--insecure-policy", "copy", "-q", &ours, &theirs]);
        let pulled = env.ok(["--root", "elsewhere", "pull", "-q", &theirs]);
        assert_eq!(pulled, id, "{theirs}");
        if !form.starts_with("docker-archive") {
            let raw = |place: &str| env.run("skopeo", ["inspect", "--raw", place]);
            assert_eq!(raw(&ours), raw(&theirs), "{form}");
            assert_eq!(raw(&theirs), env.ok(["image", "inspect", "--raw", &theirs]), "{form}");
        }
        env.run("rm", ["-rf", "ours", "theirs", "ours.tar", "theirs.tar"]);
    }
    env.ok(["--root", "elsewhere", "check", "--deep"]);
}

#[test]
fn podman_and_we_load_what_the_other_saves() {
    let test = "podman_and_we_load_what_the_other_saves";
    if !needs(test, &[Need::Root, Need::Program("podman")]) {
        return;
    }
    let env = Env::new();
    let id = images::write_small(&env.path("layout"), "localhost/base");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    // Podman takes no runroot of more than 50 characters.
    let short = tempfile::Builder::new().prefix("kiln-p").tempdir_in("/dev/shm").expect("a short directory");
    let (root, runroot) = (env.path("podman").display().to_string(), short.path().display().to_string());
    let podman = |words: &[&str]| {
        let store = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"].map(str::to_owned);
        env.run("podman", store.into_iter().chain(words.iter().map(|word| (*word).to_owned())))
    };
    for form in ["docker-archive", "oci-archive", "oci-dir", "docker-dir"] {
        env.ok(["save", "-q", "--format", form, "-o", "saved", "base"]);
        podman(&["load", "-q", "-i", "saved"]);
        let theirs = podman(&["images", "-q", "--no-trunc"]);
        assert_eq!(theirs, format!("sha256:{id}"), "{form}");
        podman(&["save", "-q", "--format", form, "-o", "back", &id]);
        let loaded = env.ok(["--root", "elsewhere", "load", "-q", "-i", "back"]);
        assert!(loaded.starts_with("Loaded image: "), "{form}: {loaded}");
        let ours = env.ok(["--root", "elsewhere", "images", "-q", "--no-trunc"]);
        // Podman writes Docker's config anew where it writes Docker's media types.
        if form != "docker-archive" && form != "docker-dir" {
            assert!(ours.lines().all(|line| line == format!("sha256:{id}")), "{form}: {ours}");
        }
        env.ok(["--root", "elsewhere", "rmi", "--all", "--force"]);
        podman(&["rmi", "-f", &id]);
        env.run("rm", ["-rf", "saved", "back"]);
    }
}

#[test]
fn buildah_and_skopeo_take_the_lists_we_make() {
    let test = "buildah_and_skopeo_take_the_lists_we_make";
    if !needs(test, &[Need::Root, Need::Program("skopeo"), Need::Program("umoci")]) {
        return;
    }
    let env = Env::new();
    images::write_small(&env.path("layout"), "localhost/base");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    env.ok(["manifest", "create", "list", "base"]);
    env.ok(["manifest", "add", "--arch", "s390x", "--os", "linux", "list", "oci:layout"]);
    env.ok(["manifest", "push", "-q", "list", "oci:ours:x"]);
    let raw = env.run("skopeo", ["inspect", "--raw", "oci:ours:x"]);
    env.run(
        "skopeo",
        ["--insecure-policy", "copy", "-q", "--all", "--preserve-digests", "oci:ours:x", "dir:theirs"],
    );
    assert_eq!(raw, env.ok(["image", "inspect", "--raw", "dir:theirs"]));
    env.ok(["image", "copy", "-q", "--all", "--preserve-digests", "dir:theirs", "oci:back:x"]);
    assert_eq!(raw, env.run("skopeo", ["inspect", "--raw", "oci:back:x"]));
    assert!(env.run("umoci", ["list", "--layout", "back"]).contains('x'));
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
