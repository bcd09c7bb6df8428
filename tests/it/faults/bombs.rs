//! Small blobs that unpack to much: they end in an error, in little memory, and leave nothing behind.

use std::io::Write;
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Env, Need, needs};

/// How much a bomb unpacks to.
const LARGE: usize = 512 << 20;

/// Zeros, which a tar ends with, so that none of it is a file.
fn gzip() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    let piece = vec![0; 1 << 20];
    for _ in 0..LARGE >> 20 {
        encoder.write_all(&piece).expect("memory");
    }
    encoder.finish().expect("memory")
}

/// One zstd frame by hand (RFC 8878): blocks that say of one byte how often it comes.
fn zstd(window: u8, blocks: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    for number in 1..=blocks {
        let size = 128 << 10;
        let header = u32::from(number == blocks) | 1 << 1 | size << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A layout whose image has this one layer, and a config that says it is an empty tar.
fn layout(dir: &Path, layer: &[u8], form: &str) {
    let put = |bytes: &[u8]| {
        let path = dir.join("blobs/sha256").join(&digest(bytes)[7..]);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        std::fs::write(path, bytes).expect("a blob");
    };
    let config = json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(&[0; 1024])]}});
    let config = config.to_string().into_bytes();
    let of = |kind: &str, bytes: &[u8]| {
        let kind = format!("application/vnd.oci.image.{kind}");
        json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
    };
    let manifest = json!({"schemaVersion": 2, "config": of("config.v1+json", &config),
        "layers": [of(&format!("layer.v1.tar+{form}"), layer)]});
    let manifest = manifest.to_string().into_bytes();
    for blob in [layer, &config, &manifest] {
        put(blob);
    }
    let index = json!({"schemaVersion": 2, "manifests": [of("manifest.v1+json", &manifest)]});
    std::fs::write(dir.join("index.json"), index.to_string()).expect("the index");
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("the marker");
}

#[test]
fn a_bomb_takes_neither_memory_nor_room() {
    if !needs("faults::a_bomb_takes_neither_memory_nor_room", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    // The last asks for a window of 2 GiB.
    let bombs = [
        ("gzip", gzip(), "unpacks to"),
        ("zstd", zstd(0x38, LARGE >> 17), "unpacks to"),
        ("zstd", zstd(0xa8, 1), "memory"),
    ];
    for (number, (form, layer, word)) in bombs.iter().enumerate() {
        let name = format!("bomb{number}");
        layout(&env.path(&name), layer, form);
        let told =
            env.shell(&format!("ulimit -v 700000; kiln pull -q oci:{name}; kiln images -q; kiln check"));
        assert_eq!(told.stdout, "", "{name}: {told:#?}");
        assert!(told.stderr.contains("Error: cannot") && told.stderr.contains("layer"), "{name}: {told:#?}");
        assert!(*word == "memory" || told.stderr.contains(word), "{name}: {told:#?}");
        // Nor while it goes on to another place in another form.
        let told = env.shell(&format!(
            "ulimit -v 700000; kiln image copy -q --dest-decompress oci:{name} dir:out{number}; ls out{number}"
        ));
        assert!(told.stderr.contains("Error: cannot"), "{name}: {told:#?}");
        assert!(!told.stdout.contains("manifest.json"), "{name}: {told:#?}");
    }
    let used = env.run("du", ["-sm", env.store().to_str().expect("a path")]);
    let used: u64 = used.split_whitespace().next().and_then(|used| used.parse().ok()).expect("a number");
    assert!(used < 20, "{used} MiB are left in the store");
}
