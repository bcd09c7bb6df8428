//! Directories written and read back, with signatures.

use std::fs;

use super::*;
use crate::error::Kind;
use crate::event::{Meter, Silent};
use crate::oci::{Descriptor, media_type};
use crate::transport::sink::{Outgoing, Part, Role, Sink};
use crate::transport::source::{RawManifest, Source};

fn manifest(text: &str) -> RawManifest {
    RawManifest { media_type: media_type::MANIFEST.into(), bytes: text.as_bytes().to_vec() }
}

#[test]
fn a_second_image_leaves_nothing_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    for (text, signatures) in [("{\"a\":1}", vec![b"one".to_vec(), b"two".to_vec()]), ("{}", Vec::new())] {
        let sink = DirSink::open(dir.path()).unwrap();
        let blob = Descriptor::of(media_type::LAYER, text.as_bytes());
        let meter = Meter::begin(&Silent, "copying blob x".into(), None);
        let mut outgoing = Outgoing::known_as(text.as_bytes(), &blob, &meter);
        sink.put_blob(&mut outgoing, Part::Other).unwrap();
        sink.put_signatures(manifest(text).digest(), &signatures).unwrap();
        sink.put_manifest(&manifest(text), Role::Named).unwrap();
        sink.finish().unwrap();
        drop(sink);
        let source = DirSource::open(dir.path()).unwrap();
        assert_eq!(source.manifest().unwrap(), manifest(text));
        assert_eq!(source.signatures(manifest(text).digest()).unwrap(), signatures);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3 + signatures.len());
    }
}

#[test]
fn an_image_that_does_not_come_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let send = |path: &std::path::Path| {
        let sink = DirSink::open(path).unwrap();
        let blob = Descriptor::of(media_type::LAYER, b"new");
        let meter = Meter::begin(&Silent, "copying blob x".into(), None);
        let mut outgoing = Outgoing::known_as(&b"new"[..], &blob, &meter);
        sink.put_blob(&mut outgoing, Part::Other).unwrap();
        assert!(sink.has_blob(&blob, Part::Other).unwrap());
        sink
    };
    let path = dir.path().join("new");
    drop(send(&path));
    assert!(!path.exists());
    let sink = send(&path);
    sink.put_manifest(&manifest("{}"), Role::Named).unwrap();
    sink.finish().unwrap();
    drop(sink);
    fs::remove_file(path.join(Digest::of(b"new").hex())).unwrap();
    drop(send(&path));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
}

#[test]
fn a_directory_of_someone_elses_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    assert_eq!(DirSink::open(dir.path()).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(DirSource::open(dir.path()).unwrap().manifest().unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn of_two_images_at_once_one_is_there_whole() {
    // Each took away what was not its own: the blobs of the other, whose manifest stayed.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for round in 0..50 {
        std::thread::scope(|scope| {
            for text in [format!("{{\"a\":{round}}}"), format!("{{\"b\":{round}}}"), "{}".to_owned()] {
                let path = &path;
                scope.spawn(move || {
                    let sink = DirSink::open(path).unwrap();
                    let blob = Descriptor::of(media_type::LAYER, text.as_bytes());
                    let meter = Meter::begin(&Silent, "copying blob x".into(), None);
                    sink.put_blob(&mut Outgoing::known_as(text.as_bytes(), &blob, &meter), Part::Other)
                        .unwrap();
                    if text != "{}" {
                        sink.put_manifest(&manifest(&text), Role::Named).unwrap();
                        sink.finish().unwrap();
                    }
                });
            }
        });
        let manifest = fs::read(path.join("manifest.json")).unwrap();
        let blob = fs::read(path.join(Digest::of(&manifest).hex())).unwrap();
        assert_eq!((blob, fs::read_dir(&path).unwrap().count()), (manifest, 3), "round {round}");
    }
}
