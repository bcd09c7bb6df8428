//! Archives and directories that are damaged or lie: one clear error each, nothing published, nothing left.

use std::fs::File;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Env, Need, needs};

/// An entry of an archive that is put there byte for byte, whatever it is called.
enum Entry<'a> {
    File(&'a str, Vec<u8>),
    Link(&'a str, &'a str),
}
use Entry::{File as Plain, Link};

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A layer with nothing in it.
fn layer() -> Vec<u8> {
    vec![0; 1024]
}

fn config(diff_ids: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = diff_ids.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
    json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}})
        .to_string()
        .into_bytes()
}

fn manifest(config: &str, layers: &[&str]) -> Vec<u8> {
    json!([{"Config": config, "RepoTags": ["localhost/evil:1"], "Layers": layers}]).to_string().into_bytes()
}

fn write(path: &Path, entries: Vec<Entry<'_>>) {
    let mut tar = tar::Builder::new(File::create(path).expect("an archive"));
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        let (name, content) = match &entry {
            Plain(name, content) => (*name, content.as_slice()),
            Link(name, target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name_literal(target).expect("a short target");
                (*name, &[][..])
            }
        };
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, content).expect("an entry");
    }
    tar.finish().expect("an archive");
}

/// What is done to an archive, its entries, and what the error has to speak of.
type Lie = (&'static str, Vec<Entry<'static>>, &'static str);

/// Archives that try to lead elsewhere.
fn leading_out() -> Vec<Lie> {
    let (good, one) = (|| Plain("c.json", config(&[&layer()])), || manifest("c.json", &["l.tar"]));
    let passwd = || std::fs::read("/etc/passwd").expect("a file everyone can read");
    vec![
        ("no layer", vec![good(), Plain("manifest.json", one())], "l.tar"),
        ("no config", vec![Plain("l.tar", layer()), Plain("manifest.json", one())], "c.json"),
        (
            "the layer is a link to a file of the host",
            vec![
                Plain("c.json", config(&[&passwd()])),
                Link("l.tar", "/etc/passwd"),
                Plain("manifest.json", one()),
            ],
            "leads out",
        ),
        (
            "the config is a link that climbs",
            vec![
                Link("c.json", "../../../../etc/hostname"),
                Plain("l.tar", layer()),
                Plain("manifest.json", one()),
            ],
            "leads out",
        ),
        (
            "the manifest names a file of the host",
            vec![good(), Plain("manifest.json", manifest("c.json", &["/etc/passwd"]))],
            "no entry",
        ),
        (
            "the manifest names something above",
            vec![good(), Plain("manifest.json", manifest("../../etc/passwd", &[]))],
            "leads out",
        ),
        (
            "an entry is above",
            vec![good(), Plain("../../../evil", layer()), Plain("manifest.json", one())],
            "leads out",
        ),
    ]
}

/// Archives whose parts do not fit together.
fn unfit() -> Vec<Lie> {
    let (good, one) = (|| Plain("c.json", config(&[&layer()])), || manifest("c.json", &["l.tar"]));
    vec![
        (
            "there are two manifests",
            vec![
                good(),
                Plain("l.tar", layer()),
                Plain("manifest.json", one()),
                Plain("manifest.json", b"[]".to_vec()),
            ],
            "twice",
        ),
        (
            "there are two layers of one name",
            vec![
                good(),
                Plain("l.tar", layer()),
                Plain("l.tar", vec![0; 2048]),
                Plain("manifest.json", one()),
            ],
            "twice",
        ),
        (
            "links lead in a circle",
            vec![good(), Link("l.tar", "m.tar"), Link("m.tar", "l.tar"), Plain("manifest.json", one())],
            "leads nowhere",
        ),
        (
            "the layer is another",
            vec![good(), Plain("l.tar", vec![0; 2048]), Plain("manifest.json", one())],
            "digest",
        ),
        (
            "the config names two layers",
            vec![
                Plain("c.json", config(&[&layer(), &layer()])),
                Plain("l.tar", layer()),
                Plain("manifest.json", one()),
            ],
            "layers",
        ),
        ("the manifest is no list", vec![Plain("manifest.json", b"{}".to_vec())], "manifest.json"),
        ("the manifest is deep", vec![Plain("manifest.json", b"[".repeat(1 << 20))], "manifest.json"),
        ("the manifest is giant", vec![Plain("manifest.json", vec![b' '; 5 << 20])], "larger"),
        (
            "the config is giant",
            vec![Plain("c.json", vec![b' '; 5 << 20]), Plain("manifest.json", one())],
            "larger",
        ),
        ("it is of a Docker of old", vec![Plain("repositories", b"{}".to_vec())], "names no image"),
    ]
}

#[test]
fn an_archive_that_is_damaged_or_lies_is_refused_and_nothing_is_published() {
    let test = "faults::an_archive_that_is_damaged_or_lies_is_refused_and_nothing_is_published";
    if !needs(test, &[Need::Root]) {
        return;
    }
    let env = Env::new();
    for (what, entries, speaks_of) in leading_out().into_iter().chain(unfit()) {
        let path = env.path("evil.tar");
        write(&path, entries);
        for verb in [&["load", "-q", "-i", "evil.tar"][..], &["pull", "-q", "docker-archive:evil.tar"]] {
            let outcome = env.kiln(verb);
            assert_eq!(outcome.code, 125, "{what}: {outcome:#?}");
            let said = outcome.stderr;
            assert_eq!(said.matches("Error: ").count(), 1, "{what}: {said}");
            assert!(said.contains(speaks_of), "{what}: {said}");
            assert!(!said.contains("panicked") && !said.contains("root:x"), "{what}: {said}");
            assert_eq!(env.ok(["images", "-q"]), "", "{what}: an image was published");
        }
        env.fails(125, ["image", "copy", "-q", "docker-archive:evil.tar", "docker-archive:out.tar"]);
        assert!(!env.path("out.tar").exists(), "{what}: something was written");
    }
    env.ok(["prune"]);
    for below in ["layers", "images/blobs/sha256", "tmp", "trash"] {
        let left = std::fs::read_dir(env.store().join(below)).expect("a directory").count();
        assert_eq!(left, 0, "what is left in {below}");
    }
}

/// A directory with an image whose manifest is `edit`ed; the blobs are there.
fn directory(dir: &Path, edit: impl FnOnce(&mut Value)) {
    std::fs::create_dir_all(dir).expect("a directory");
    let (config, layer) = (config(&[&layer()]), layer());
    let descriptor = |kind: &str, bytes: &[u8]| {
        std::fs::write(dir.join(hex(bytes)), bytes).expect("a blob");
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"),
               "digest": format!("sha256:{}", hex(bytes)), "size": bytes.len()})
    };
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config), "layers": [descriptor("layer.v1.tar", &layer)],
    });
    edit(&mut manifest);
    std::fs::write(dir.join("manifest.json"), manifest.to_string()).expect("a manifest");
}

#[test]
fn a_manifest_that_lies_is_refused() {
    let test = "faults::a_manifest_that_lies_is_refused";
    if !needs(test, &[Need::Root]) {
        return;
    }
    type Change = (&'static str, fn(&mut Value), &'static str);
    let lies: [Change; 8] = [
        (
            "a digest is a path",
            |m| m["layers"][0]["digest"] = json!("sha256:../../../../etc/passwd"),
            "digest",
        ),
        ("a digest is short", |m| m["config"]["digest"] = json!("sha256:00"), "digest"),
        (
            "a digest is in capitals",
            |m| m["layers"][0]["digest"] = json!(format!("sha256:{}", "AB".repeat(32))),
            "digest",
        ),
        (
            "a digest is of another kind",
            |m| m["layers"][0]["digest"] = json!(format!("md5:{}", "0".repeat(32))),
            "digest",
        ),
        ("it is an index too", |m| m["manifests"] = json!([]), "two ways"),
        ("a blob is longer", |m| m["layers"][0]["size"] = json!(10), "longer"),
        ("a blob is shorter", |m| m["layers"][0]["size"] = json!(1_u64 << 40), "bytes"),
        ("a config is larger than any", |m| m["config"]["size"] = json!(1_u64 << 40), "larger"),
    ];
    let env = Env::new();
    for (what, lie, speaks_of) in lies {
        let dir = env.path("evil");
        directory(&dir, lie);
        let outcome = env.kiln(["pull", "-q", "dir:evil"]);
        assert_eq!(outcome.code, 125, "{what}: {outcome:#?}");
        assert!(outcome.stderr.contains(speaks_of), "{what}: {}", outcome.stderr);
        env.fails(125, ["image", "copy", "-q", "dir:evil", "oci-archive:out.tar"]);
        assert!(!env.path("out.tar").exists(), "{what}: something was written");
    }
    let giant = File::create(env.path("evil/manifest.json")).expect("a manifest");
    giant.set_len(1 << 30).expect("a sparse file");
    assert!(env.fails(125, ["pull", "-q", "dir:evil"]).contains("manifest"));
    assert_eq!(env.ok(["images", "-q"]), "");
    env.run("rm", ["-rf", "evil"]);
    directory(&env.path("evil"), |_| {});
    env.ok(["pull", "-q", "dir:evil"]);
}

/// A layer that is said to be elsewhere is not fetched: the address would be ours to connect to.
#[test]
fn addresses_in_a_manifest_are_not_followed() {
    let test = "faults::addresses_in_a_manifest_are_not_followed";
    if !needs(test, &[Need::Root]) {
        return;
    }
    let env = Env::new();
    directory(&env.path("foreign"), |manifest| {
        let layer = &mut manifest["layers"][0];
        layer["mediaType"] = json!("application/vnd.oci.image.layer.nondistributable.v1.tar");
        layer["urls"] = json!(["http://localhost:1/secret"]);
    });
    let said = env.fails(125, ["pull", "-q", "dir:foreign"]);
    assert!(said.contains("not followed"), "{said}");
    // Where manifests are kept with their addresses, the layer stays named and is not sent.
    env.ok(["image", "copy", "-q", "dir:foreign", "oci:kept:x"]);
    assert!(env.ok(["image", "inspect", "--raw", "oci:kept:x"]).contains("localhost:1"));
}
