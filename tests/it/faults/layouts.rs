//! OCI layouts that are damaged or lie: one clear error each, nothing published, nothing left.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Env, Need, images, needs};

/// A layout with one image, taken apart.
struct Layout {
    dir: PathBuf,
    index: Value,
    manifest: Value,
    config: Value,
}

impl Layout {
    fn read(dir: &Path) -> Self {
        let json = |path: PathBuf| -> Value {
            serde_json::from_slice(&std::fs::read(path).expect("a file of the layout")).expect("JSON")
        };
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().expect("a digest");
            dir.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
        };
        let index = json(dir.join("index.json"));
        let manifest = json(blob(&index["manifests"][0]));
        let config = json(blob(&manifest["config"]));
        Layout { dir: dir.to_owned(), index, manifest, config }
    }

    /// The path of the blob that a descriptor names.
    fn blob(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().expect("a digest");
        self.dir.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    fn put(&self, descriptor: &mut Value, bytes: &[u8]) {
        descriptor["digest"] = json!(format!("sha256:{:x}", HexDigest(bytes)));
        descriptor["size"] = json!(bytes.len());
        std::fs::write(self.blob(descriptor), bytes).expect("a blob");
    }

    /// Writes the parts back, each naming the next by its new digest: a lie that fits together.
    fn write(mut self) {
        let mut config = self.manifest["config"].take();
        self.put(&mut config, self.config.to_string().as_bytes());
        self.manifest["config"] = config;
        self.write_manifest();
    }

    fn write_manifest(mut self) {
        let mut manifest = self.index["manifests"][0].take();
        self.put(&mut manifest, self.manifest.to_string().as_bytes());
        self.index["manifests"][0] = manifest;
        self.write_index();
    }

    fn write_index(self) {
        std::fs::write(self.dir.join("index.json"), self.index.to_string()).expect("index.json");
    }
}

struct HexDigest<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Sha256::digest(self.0).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn truncate(path: &Path) {
    let bytes = std::fs::read(path).expect("the blob");
    std::fs::write(path, &bytes[..bytes.len() / 2]).expect("the blob");
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("the blob");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(path, bytes).expect("the blob");
}

/// What is done to a good layout, and what the error has to speak of.
type Damage = (&'static str, fn(Layout), &'static str);

const DAMAGES: &[Damage] = &[
    ("the layer is cut short", |l| truncate(&l.blob(&l.manifest["layers"][0])), "layer"),
    ("the layer has a flipped bit", |l| flip(&l.blob(&l.manifest["layers"][0])), "layer"),
    ("the layer is missing", |l| remove(&l.blob(&l.manifest["layers"][0])), "blob"),
    ("the layer is empty", |l| write(&l.blob(&l.manifest["layers"][0]), b""), "layer"),
    ("the layer is no regular file", |l| directory(&l.blob(&l.manifest["layers"][0])), "blob"),
    ("the layer has more after it", |l| append(&l.blob(&l.manifest["layers"][0])), "layer"),
    ("the config is cut short", |l| truncate(&l.blob(&l.manifest["config"])), "blob"),
    ("the config has a flipped bit", |l| flip(&l.blob(&l.manifest["config"])), "digest"),
    ("the config is missing", |l| remove(&l.blob(&l.manifest["config"])), "blob"),
    ("the manifest is cut short", |l| truncate(&l.blob(&l.index["manifests"][0])), "digest"),
    ("the manifest has a flipped bit", |l| flip(&l.blob(&l.index["manifests"][0])), "digest"),
    ("the manifest is missing", |l| remove(&l.blob(&l.index["manifests"][0])), "blob"),
    ("the index is cut short", |l| truncate(&l.dir.join("index.json")), "index"),
    ("the index is missing", |l| remove(&l.dir.join("index.json")), "index"),
    ("the index is a fifo", |l| fifo(&l.dir.join("index.json")), "index"),
    ("the index is deep", |l| write(&l.dir.join("index.json"), "[".repeat(1 << 20).as_bytes()), "index"),
    ("the index is giant", |l| giant(&l.dir.join("index.json")), "index"),
    (
        "the config names no layer",
        |mut l| {
            l.config["rootfs"]["diff_ids"] = json!([]);
            l.write();
        },
        "layer",
    ),
    (
        "the config names two layers",
        |mut l| {
            let one = l.config["rootfs"]["diff_ids"][0].clone();
            l.config["rootfs"]["diff_ids"] = json!([one, one]);
            l.write();
        },
        "layer",
    ),
    (
        "the config names another layer",
        |mut l| {
            l.config["rootfs"]["diff_ids"][0] = json!(format!("sha256:{}", "0".repeat(64)));
            l.write();
        },
        "layer",
    ),
    (
        "the config names a layer by a path",
        |mut l| {
            l.config["rootfs"]["diff_ids"][0] = json!("sha256:../../../../etc/passwd");
            l.write();
        },
        "config",
    ),
    (
        "the manifest says the layer is shorter",
        |mut l| {
            l.manifest["layers"][0]["size"] = json!(1000);
            l.write();
        },
        "longer",
    ),
    (
        "the manifest says the layer is longer",
        |mut l| {
            let size = l.manifest["layers"][0]["size"].as_u64().expect("a size");
            l.manifest["layers"][0]["size"] = json!(size + 1);
            l.write();
        },
        "layer",
    ),
    (
        "the manifest is an index, too",
        |mut l| {
            l.manifest["manifests"] = l.index["manifests"].clone();
            l.write();
        },
        "two ways",
    ),
    (
        "the manifest is giant",
        |mut l| {
            l.manifest["annotations"] = json!({"x": "y".repeat(8 << 20)});
            l.write();
        },
        "blob",
    ),
    (
        "an index nests others without end",
        |mut l| {
            for _ in 0..40 {
                let inner = l.index.clone();
                let mut outer = nested();
                l.put(&mut outer, inner.to_string().as_bytes());
                l.index = json!({"schemaVersion": 2, "manifests": [outer]});
            }
            l.write_index();
        },
        "index",
    ),
    (
        "an index names itself",
        |mut l| {
            // No index has its own digest in it; this one is called so, and is found not to be it.
            let mut outer = nested();
            l.put(&mut outer, b"{}");
            let index = json!({"schemaVersion": 2, "manifests": [outer]}).to_string();
            write(&l.blob(&outer), index.as_bytes());
            outer["size"] = json!(index.len());
            l.index = json!({"schemaVersion": 2, "manifests": [outer]});
            l.write_index();
        },
        "digest",
    ),
];

/// A descriptor of an index under the image's name.
fn nested() -> Value {
    json!({"mediaType": "application/vnd.oci.image.index.v1+json",
           "annotations": {"org.opencontainers.image.ref.name": "base"}})
}

fn remove(path: &Path) {
    std::fs::remove_file(path).expect("a file goes");
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a file is written");
}

fn append(path: &Path) {
    let mut bytes = std::fs::read(path).expect("the blob");
    bytes.extend_from_slice(&[0; 4096]);
    write(path, &bytes);
}

fn directory(path: &Path) {
    remove(path);
    std::fs::create_dir(path).expect("a directory");
}

fn fifo(path: &Path) {
    remove(path);
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).expect("a fifo");
}

/// A file of a terabyte that takes no room.
fn giant(path: &Path) {
    std::fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
}

#[test]
fn a_layout_that_is_damaged_or_lies_is_refused_and_nothing_is_published() {
    let test = "faults::a_layout_that_is_damaged_or_lies_is_refused_and_nothing_is_published";
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    for (what, damage, speaks_of) in DAMAGES {
        env.shell("rm -rf bad; cp -a layout bad").expect_ok("a copy");
        damage(Layout::read(&env.path("bad")));
        for verb in [&["pull", "-q", "oci:bad:base"][..], &["from", "-q", "oci:bad"]] {
            let outcome = env.kiln(verb);
            assert_eq!(outcome.code, 125, "{what}: {outcome:#?}");
            let said = outcome.stderr;
            assert_eq!(said.matches("Error: ").count(), 1, "{what}: {said}");
            assert!(said.contains(speaks_of) && !said.contains("panicked"), "{what}: {said}");
            assert_eq!(env.ok(["images", "-q"]), "", "{what}: an image was published");
            assert_eq!(env.ok(["containers", "-q"]), "", "{what}: a container was made");
            assert_eq!(env.ok(["check", "--deep"]), "", "{what}");
        }
    }
    env.ok(["prune"]);
    for below in ["layers", "images/blobs/sha256", "tmp", "trash"] {
        let left = std::fs::read_dir(env.store().join(below)).expect("a directory").count();
        assert_eq!(left, 0, "what is left in {below}");
    }
    env.ok(["pull", "-q", "oci:layout:base"]);
}
