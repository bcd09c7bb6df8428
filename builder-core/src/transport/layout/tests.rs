//! Layouts from elsewhere, whole and damaged.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use super::*;
use crate::error::{Error, Kind, Result};
use crate::event::{Meter, Silent};
use crate::name::Pick;
use crate::oci::{Descriptor, Index, Wanted, media_type};
use crate::transport::copy::{choose, small_blob};
use crate::transport::sink::{Outgoing, Part, Role, Sink};
use crate::transport::source::{RawManifest, Source};
use crate::tree::Root;

fn open(dir: &Path, pick: Pick) -> Result<LayoutSource> {
    let root =
        Root::open_host(dir).map_err(|error| Error::new(Kind::NotFound, "no directory").because(error))?;
    LayoutSource::open(Box::new(root), "oci:layout".into(), pick)
}

/// The bytes of the manifest that is found, however deep in indexes.
fn find(layout: &LayoutSource) -> Result<Vec<u8>> {
    choose(layout, &layout.manifest()?, &Wanted::default()).map(|(_, manifest)| manifest.bytes)
}

fn layout(dir: &Path, index: &str) -> LayoutSource {
    fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(dir.join("index.json"), index).unwrap();
    open(dir, Pick::Only).unwrap()
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
    assert_eq!(open(&dir.path().join("none"), Pick::Only).err().unwrap().kind(), Kind::NotFound);
    assert_eq!(open(dir.path(), Pick::Only).err().unwrap().kind(), Kind::Corrupt);
    fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"9"}"#).unwrap();
    assert_eq!(open(dir.path(), Pick::Only).err().unwrap().kind(), Kind::Corrupt);
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
    assert_eq!(find(&one).unwrap(), b"{}");
    let pick = |pick: Pick| open(dir.path(), pick).unwrap().manifest();
    let name = |name: &str| Pick::Name(name.into());
    assert_eq!(pick(name("b")).unwrap_err().kind(), Kind::NotFound);
    let two =
        layout(dir.path(), &format!(r#"{{"schemaVersion":2,"manifests":[{},{}]}}"#, named("a"), named("b")));
    assert!(pick(name("b")).is_ok() && pick(Pick::Index(1)).is_ok() && pick(Pick::Digest(digest)).is_ok());
    assert!(pick(Pick::Index(2)).is_err() && pick(Pick::Digest(Digest::of(b"x"))).is_err());
    assert!(two.manifest().unwrap_err().hint_text().unwrap().ends_with(":a"));
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
    assert!(find(&layout(dir.path(), &top)).unwrap_err().to_string().contains("choose"));
}

#[test]
fn a_blob_that_is_not_what_it_is_called_or_no_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = layout(dir.path(), r#"{"schemaVersion":2,"manifests":[]}"#);
    let digest = Digest::of(b"good");
    let place = dir.path().join("blobs/sha256").join(digest.hex());
    fs::write(&place, "evil").unwrap();
    let descriptor = Descriptor::new(media_type::CONFIG, digest, 4);
    assert_eq!(small_blob(&good, &descriptor).unwrap_err().kind(), Kind::Corrupt);
    fs::remove_file(&place).unwrap();
    // A pipe must not make us wait.
    rustix::fs::mknodat(rustix::fs::CWD, &place, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    assert!(small_blob(&good, &descriptor).is_err());
    assert_eq!(good.blob(&descriptor).err().unwrap().kind(), Kind::Corrupt);
    fs::remove_file(&place).unwrap();
    // A link out of the layout leads nowhere.
    std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
    assert!(good.blob(&descriptor).is_err());
}

#[test]
fn a_blob_that_is_too_large_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let large = vec![b' '; usize::try_from(crate::oci::MAX_MANIFEST).unwrap() + 1];
    let layout = layout(dir.path(), r#"{"schemaVersion":2,"manifests":[]}"#);
    let descriptor = Descriptor::new(media_type::CONFIG, put(dir.path(), &large), large.len() as u64);
    assert_eq!(small_blob(&layout, &descriptor).unwrap_err().kind(), Kind::Corrupt);
    let lying = Descriptor { size: 2, ..descriptor };
    assert_eq!(small_blob(&layout, &lying).unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn writing_keeps_what_is_there_and_a_name_moves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layout");
    let enter = |bytes: &[u8], name: &str| {
        let manifest = RawManifest { media_type: media_type::MANIFEST.into(), bytes: bytes.to_vec() };
        LayoutSink::open(&path, Some(name.into())).unwrap().put_manifest(&manifest, Role::Named).unwrap();
    };
    enter(b"{}", "a");
    enter(b"{ }", "b");
    enter(b"{  }", "a");
    let found = |name: &str| open(&path, Pick::Name(name.into())).unwrap().manifest().unwrap().bytes;
    assert_eq!((found("a"), found("b")), (b"{  }".to_vec(), b"{ }".to_vec()));
    assert!(LayoutSink::open(Path::new("/proc/none"), None).is_err());
    fs::write(dir.path().join("mine"), "x").unwrap();
    drop(LayoutSink::open(dir.path(), None).unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_blob_that_is_cut_short_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let sink = LayoutSink::open(&dir.path().join("layout"), None).unwrap();
    let whole = Descriptor::of(media_type::LAYER, b"whole");
    for content in ["who", "whole and more", "other"] {
        let meter = Meter::begin(&Silent, "copying blob x".into(), None);
        let mut blob = Outgoing::known_as(content.as_bytes(), &whole, &meter);
        assert_eq!(sink.put_blob(&mut blob, Part::Other).unwrap_err().kind(), Kind::Corrupt, "{content}");
        assert!(!sink.has_blob(&whole, Part::Other).unwrap());
    }
    assert_eq!(fs::read_dir(dir.path().join("layout/blobs/sha256")).unwrap().count(), 0);
}

fn send(sink: &LayoutSink, content: &[u8]) -> Descriptor {
    let blob = Descriptor::of(media_type::LAYER, content);
    let meter = Meter::begin(&Silent, "copying blob x".into(), None);
    sink.put_blob(&mut Outgoing::known_as(content, &blob, &meter), Part::Other).unwrap();
    blob
}

#[test]
fn an_image_that_does_not_come_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/layout");
    let sink = LayoutSink::open(&path, None).unwrap();
    let blob = send(&sink, b"one");
    assert!(sink.has_blob(&blob, Part::Other).unwrap());
    drop(sink);
    assert!(!path.exists());
    // A directory that was there stays, and so does what is in a layout.
    fs::create_dir(dir.path().join("empty")).unwrap();
    drop(LayoutSink::open(&dir.path().join("empty"), None).unwrap());
    assert_eq!(fs::read_dir(dir.path().join("empty")).unwrap().count(), 0);
    let old = layout_of(dir.path(), b"{}");
    send(&LayoutSink::open(&old, None).unwrap(), b"two");
    assert_eq!(fs::read_dir(old.join("blobs/sha256")).unwrap().count(), 1);
}

/// A layout with one manifest.
fn layout_of(dir: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = dir.join("old");
    let manifest = RawManifest { media_type: media_type::MANIFEST.into(), bytes: bytes.to_vec() };
    LayoutSink::open(&path, None).unwrap().put_manifest(&manifest, Role::Named).unwrap();
    path
}

#[test]
fn of_two_in_a_new_layout_one_may_fail() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layout");
    let (fails, comes) = (LayoutSink::open(&path, None).unwrap(), LayoutSink::open(&path, None).unwrap());
    let blob = send(&comes, b"one");
    drop(fails);
    let manifest = RawManifest { media_type: media_type::MANIFEST.into(), bytes: b"{}".to_vec() };
    comes.put_manifest(&manifest, Role::Named).unwrap();
    drop(comes);
    assert!(path.join(blob_name(blob.digest)).is_file());
    assert!(fs::read_to_string(path.join("oci-layout")).unwrap().contains("1.0.0"));
    assert_eq!(open(&path, Pick::Only).unwrap().manifest().unwrap().bytes, b"{}");
}

#[test]
fn many_begin_a_layout_at_once() {
    // Once in some hundred times one took the marker of another for a file that has nothing to do with layouts; and one
    // that failed took away what another had begun in.
    let dir = tempfile::tempdir().unwrap();
    for round in 0..200 {
        let path = dir.path().join(format!("layout{round}"));
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for number in 0..4 {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    let bytes = format!("{{\"{number}\":1}}").into_bytes();
                    let manifest = RawManifest { media_type: media_type::MANIFEST.into(), bytes };
                    start.wait();
                    let sink = LayoutSink::open(path, Some(format!("image{number}"))).unwrap();
                    // Every other one fails.
                    if number % 2 == 0 {
                        sink.put_manifest(&manifest, Role::Named).unwrap();
                    }
                });
            }
        });
        let index = fs::read(path.join("index.json")).unwrap();
        assert_eq!(Index::parse(&index).unwrap().manifests.len(), 2, "round {round}");
    }
}
