//! Archives written and read back, and archives that lie.

use std::fs;
use std::path::Path;

use crate::error::{Kind, Result};
use crate::event::Silent;
use crate::layer::{Compression, Encoder};
use crate::name::Location;
use crate::oci::{Digest, ImageConfig};
use crate::transport::copy::{CopyOptions, copy_image};
use crate::transport::open::{self, Places};

/// Writes an archive of one image, as Docker does; `layer` is the entry and its content. What leads out of it is only
/// named, as no such entry can be written.
fn archive(path: &Path, layer: (&str, &[u8]), diff_id: Digest, extra: &[(&str, &[u8])]) {
    let mut config = ImageConfig::scratch();
    config.rootfs.diff_ids = vec![diff_id];
    let manifest = format!(r#"[{{"Config":"c.json","RepoTags":["a:1","b:2"],"Layers":["{}"]}}]"#, layer.0);
    let config = config.to_bytes();
    let layer = if layer.0.starts_with(['.', '/']) { ("harmless", layer.1) } else { layer };
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, content) in
        [("c.json", config.as_slice()), ("manifest.json", manifest.as_bytes()), layer].iter().chain(extra)
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.finish().unwrap();
}

fn location(path: &Path, rest: &str) -> Location {
    Location::parse(&format!("docker-archive:{}{rest}", path.display())).unwrap()
}

fn copy(from: &Location, to: &Location, scratch: &Path) -> Result<Digest> {
    let (registries, access) = Default::default();
    let places = Places { scratch, registries: &registries, access: &access, reporter: &Silent };
    let (source, sink) = (open::source(places, from)?, open::sink(places, to)?);
    Ok(copy_image(&*source, &*sink, &CopyOptions::default(), &Silent)?.manifest.digest)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Compression::Gzip, 5, 1, Vec::new()).unwrap();
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap().0
}

#[test]
fn an_image_goes_through_every_kind_of_place_and_comes_back_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let tar = vec![0_u8; 10240];
    let at = |name: &str| dir.path().join(name);
    archive(&at("first.tar"), ("l/layer.tar", &tar), Digest::of(&tar), &[]);
    let places =
        ["oci:{}:x", "dir:{}", "oci-archive:{}:y", "docker-archive:{}:a:1", "oci:{}", "docker-archive:{}"];
    let mut from = location(&at("first.tar"), ":b:2");
    for (number, place) in places.iter().enumerate() {
        let path = at(&format!("place{number}")).display().to_string();
        let to = Location::parse(&place.replace("{}", &path)).unwrap();
        copy(&from, &to, dir.path()).unwrap();
        from = to;
    }
    let (registries, access) = Default::default();
    let places = Places { scratch: dir.path(), registries: &registries, access: &access, reporter: &Silent };
    let last = open::source(places, &from).unwrap();
    let first = open::source(places, &location(&at("first.tar"), "@0")).unwrap();
    assert_eq!(last.manifest().unwrap(), first.manifest().unwrap());
}

#[test]
fn an_archive_may_be_compressed_and_so_may_its_layers() {
    let dir = tempfile::tempdir().unwrap();
    let tar = vec![7_u8; 5000];
    let path = dir.path().join("a.tar");
    archive(&path, ("layer", &gzip(&tar)), Digest::of(&tar), &[]);
    fs::write(dir.path().join("a.tar.gz"), gzip(&fs::read(&path).unwrap())).unwrap();
    let to = |name: &str| Location::parse(&format!("oci:{}/{name}", dir.path().display())).unwrap();
    let plain = copy(&location(&path, ""), &to("one"), dir.path()).unwrap();
    let packed = copy(&location(&dir.path().join("a.tar.gz"), ""), &to("two"), dir.path()).unwrap();
    assert_eq!(plain, packed);
}

#[test]
fn an_archive_that_lies_is_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tar");
    let good = vec![7_u8; 5000];
    type Lie<'a> = (&'a str, (&'a str, &'a [u8]), Digest, &'a [(&'a str, &'a [u8])]);
    let lies: [Lie<'_>; 5] = [
        ("another layer", ("layer", b"evil"), Digest::of(&good), &[]),
        ("a layer that is outside", ("../../../etc/passwd", &good), Digest::of(&good), &[]),
        ("a layer that is absolute", ("/etc/passwd", &good), Digest::of(&good), &[]),
        ("two manifests", ("layer", &good), Digest::of(&good), &[("manifest.json", b"[]")]),
        ("two layers of one name", ("layer", &good), Digest::of(&good), &[("layer", b"other")]),
    ];
    for (what, layer, diff_id, extra) in lies {
        archive(&path, layer, diff_id, extra);
        let to = Location::parse(&format!("docker-archive:{}/out.tar", dir.path().display())).unwrap();
        let error = copy(&location(&path, ":a:1"), &to, dir.path()).unwrap_err();
        assert!(matches!(error.kind(), Kind::Corrupt | Kind::NotFound), "{what}: {error:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{what}");
    }
}
