//! Damage inside the store: `check --deep` finds it, `check --repair` mends it or takes away what cannot be mended.

use std::path::{Path, PathBuf};

use crate::support::{Env, Need, images, needs};

/// What is done to a good store.
type Damage = (&'static str, fn(&Env));

/// A store with `base` (pulled), `made` (built on it) and a container `c` of `made`.
fn store(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "base")?;
    env.shell(
        "kiln from --name d oci:layout:base; kiln run d -- sh -c 'echo made > /made'
         kiln commit -q --timestamp 1000000000 d made; kiln rm d; kiln from --name c made",
    )
    .expect_ok("the setup");
    Some(env)
}

/// The path of a blob by its digest.
fn blob(env: &Env, digest: &str) -> PathBuf {
    env.store().join("images/blobs/sha256").join(digest.trim_start_matches("sha256:"))
}

/// What `kiln inspect` says of an image.
fn inspected(env: &Env, image: &str, format: &str) -> String {
    env.ok(["inspect", "--type", "image", "--format", format, image])
}

fn first_layer(env: &Env, image: &str) -> PathBuf {
    let manifest: serde_json::Value =
        serde_json::from_str(&inspected(env, image, "{{.Manifest}}")).expect("a manifest");
    blob(env, manifest["layers"][0]["digest"].as_str().expect("a digest"))
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(path, bytes).expect("the damage");
}

/// The tree that holds the file `name`.
fn tree_with(env: &Env, name: &str) -> PathBuf {
    let layers = std::fs::read_dir(env.store().join("layers")).expect("the layers");
    let found =
        layers.map(|item| item.expect("a layer").path()).find(|path| path.join("fs").join(name).exists());
    found.unwrap_or_else(|| panic!("no layer has {name}"))
}

/// What must hold of any damage: it is found, said in one line each, mended, and the store works again.
fn is_found_and_mended(env: &Env, what: &str) {
    let found = env.kiln(["check", "--deep"]);
    assert_ne!(found.code, 0, "{what} is not found: {found:#?}");
    assert!(found.stdout.lines().all(|line| line.starts_with("damaged: ")), "{what}: {found:#?}");
    assert!(!found.stdout.is_empty() && found.stderr.contains("hint: "), "{what}: {found:#?}");
    let mended = env.kiln(["check", "--deep", "--repair"]);
    assert_eq!(mended.code, 0, "{what} is not mended: {mended:#?}");
    assert!(mended.stdout.lines().all(|line| line.starts_with("repaired: ")), "{what}: {mended:#?}");
    assert_eq!(env.ok(["check", "--deep"]), "", "{what}, after the repair");
    // Whatever had to go, what is listed works, and the images can be made again.
    env.shell(
        "for i in $(kiln images -q); do kiln rm $(kiln from --name try $i) >/dev/null; done
         for c in $(kiln containers --format '{{.ContainerName}}'); do kiln run $c true; done
         kiln rm -a >/dev/null; kiln from --name d oci:layout:base >/dev/null
         kiln run d -- sh -c 'echo made > /made'; kiln commit -q --timestamp 1000000000 d made >/dev/null
         test \"$(kiln run $(kiln from made) cat /made)\" = made",
    )
    .expect_ok(what);
}

#[test]
fn a_flipped_bit_anywhere_in_the_store_is_found_and_mended() {
    let test = "faults::a_flipped_bit_anywhere_in_the_store_is_found_and_mended";
    let damages: [Damage; 9] = [
        ("a layer's blob", |env| flip(&first_layer(env, "base"))),
        ("a config", |env| flip(&blob(env, &inspected(env, "made", "{{.FromImageID}}")))),
        ("a manifest", |env| flip(&blob(env, &inspected(env, "made", "{{.FromImageDigest}}")))),
        ("the tag table", |env| std::fs::write(env.store().join("images/index.json"), "{").expect("damage")),
        ("a built tree's file", |env| flip(&tree_with(env, "made").join("fs/made"))),
        ("a tree's record", |env| flip_first(&tree_with(env, "made").join("meta.json"))),
        ("an unpacked tree's file", |env| flip(&tree_with(env, "bin/busybox").join("fs/bin/busybox"))),
        ("a tree without files", |env| {
            std::fs::remove_dir_all(tree_with(env, "made").join("fs")).expect("damage");
        }),
        ("a container's record", |env| {
            let containers = std::fs::read_dir(env.store().join("containers")).expect("the containers");
            containers.for_each(|item| flip_first(&item.expect("one").path().join("container.json")));
        }),
    ];
    for (what, damage) in damages {
        let Some(env) = store(test) else { return };
        damage(&env);
        is_found_and_mended(&env, what);
    }
}

fn flip_first(path: &Path) {
    let mut bytes = std::fs::read(path).expect("the record");
    bytes[0] ^= 0x10;
    std::fs::write(path, bytes).expect("the damage");
}
