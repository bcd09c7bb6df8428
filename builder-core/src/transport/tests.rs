//! Layouts from elsewhere, whole and damaged.

use std::fs;
use std::path::Path;

use super::layout::{Layout, LayoutWriter};
use crate::error::Kind;
use crate::oci::{Descriptor, Digest, media_type};

fn layout(dir: &Path, index: &str) -> Layout {
    fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(dir.join("index.json"), index).unwrap();
    Layout::open(dir).unwrap()
}

fn put(dir: &Path, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    fs::write(dir.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
    digest
}

fn entry(media_type: &str, digest: Digest, size: usize, rest: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{rest}}}"#)
}

#[test]
fn what_is_no_layout_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Layout::open(&dir.path().join("none")).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(Layout::open(dir.path()).unwrap_err().kind(), Kind::Corrupt);
    fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"9"}"#).unwrap();
    assert_eq!(Layout::open(dir.path()).unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn an_image_is_chosen_by_name_or_because_it_is_the_only_one() {
    let dir = tempfile::tempdir().unwrap();
    let digest = put(dir.path(), b"{}");
    let named = |name: &str| {
        let rest = format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#);
        entry(media_type::MANIFEST, digest, 2, &rest)
    };
    let one = layout(dir.path(), &format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, named("a")));
    assert_eq!(one.find(None).unwrap().1, b"{}");
    assert_eq!(one.find(Some("b")).unwrap_err().kind(), Kind::NotFound);
    let two =
        layout(dir.path(), &format!(r#"{{"schemaVersion":2,"manifests":[{},{}]}}"#, named("a"), named("b")));
    assert!(two.find(Some("b")).is_ok());
    assert!(two.find(None).unwrap_err().hint_text().unwrap().ends_with(":a"));
}

#[test]
fn an_index_that_nests_itself_ends() {
    let dir = tempfile::tempdir().unwrap();
    // No blob can hold its own digest, so a long chain has to do.
    let mut digest = put(dir.path(), b"{}");
    let mut size = 2;
    for _ in 0..20 {
        let inner = entry(media_type::INDEX, digest, size, "");
        let bytes = format!(r#"{{"schemaVersion":2,"manifests":[{inner}]}}"#).into_bytes();
        (digest, size) = (put(dir.path(), &bytes), bytes.len());
    }
    let top =
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entry(media_type::INDEX, digest, size, ""));
    assert!(layout(dir.path(), &top).find(None).is_err());
}

#[test]
fn a_blob_that_is_not_what_it_is_called_or_no_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = layout(dir.path(), r#"{"schemaVersion":2,"manifests":[]}"#);
    let digest = Digest::of(b"good");
    let place = dir.path().join("blobs/sha256").join(digest.hex());
    fs::write(&place, "evil").unwrap();
    let descriptor = Descriptor::new(media_type::CONFIG, digest, 4);
    assert_eq!(good.read_blob(&descriptor, 100).unwrap_err().kind(), Kind::Corrupt);
    fs::remove_file(&place).unwrap();
    // A pipe must not make us wait.
    rustix::fs::mknodat(rustix::fs::CWD, &place, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    assert!(good.read_blob(&descriptor, 100).is_err());
    assert_eq!(good.open_blob(digest).unwrap_err().kind(), Kind::Corrupt);
    fs::remove_file(&place).unwrap();
    // A link out of the layout leads nowhere.
    std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
    assert!(good.open_blob(digest).is_err());
}

#[test]
fn a_blob_that_is_too_large_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = vec![b' '; 1000];
    let digest = put(dir.path(), &bytes);
    let layout = layout(dir.path(), r#"{"schemaVersion":2,"manifests":[]}"#);
    let descriptor = Descriptor::new(media_type::CONFIG, digest, 1000);
    assert_eq!(layout.read_blob(&descriptor, 999).unwrap_err().kind(), Kind::Corrupt);
    assert_eq!(layout.read_blob(&descriptor, 1000).unwrap().len(), 1000);
}

#[test]
fn writing_keeps_what_is_there_and_a_name_moves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layout");
    let writer = LayoutWriter::open(&path).unwrap();
    let enter = |bytes: &[u8], name: Option<&str>| {
        writer.put(bytes).unwrap();
        writer.enter(Descriptor::of(media_type::MANIFEST, bytes), name).unwrap();
    };
    enter(b"{}", Some("a"));
    enter(b"{ }", Some("b"));
    enter(b"{  }", Some("a"));
    let layout = Layout::open(&path).unwrap();
    assert_eq!(layout.find(Some("a")).unwrap().1, b"{  }");
    assert_eq!(layout.find(Some("b")).unwrap().1, b"{ }");
    assert!(LayoutWriter::open(Path::new("/proc/none")).is_err());
    fs::write(dir.path().join("mine"), "x").unwrap();
    fs::write(dir.path().join("mine too"), "x").unwrap();
    assert_eq!(LayoutWriter::open(dir.path()).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}
