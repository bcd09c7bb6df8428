//! Archives written and read back, and archives that lie.

use std::fs;
use std::path::Path;

use crate::error::{Kind, Result};
use crate::event::Silent;
use crate::layer::{Compression, Encoder};
use crate::name::{Location, hub};
use crate::oci::{Digest, ImageConfig};
use crate::settings::{MachineStorage, RegistrySettings};
use crate::transport::copy::{CopyOptions, copy_image};
use crate::transport::open::{self, Places};
use crate::transport::registry::Access;

/// Writes an archive of one image, as Docker does; `layer` is the entry and its content. What leads out of it is only
/// named, as no such entry can be written.
fn archive(path: &Path, layer: (&str, &[u8]), diff_id: Digest, extra: &[(&str, &[u8])]) {
    let mut config = ImageConfig::scratch();
    config.rootfs.diff_ids = vec![diff_id];
    let manifest = format!(r#"[{{"Config":"c.json","RepoTags":["a:1","b:2"],"Layers":["{}"]}}]"#, layer.0);
    let config = config.to_bytes();
    let layer = if layer.0.starts_with(['.', '/']) { ("harmless", layer.1) } else { layer };
    let own = [("c.json", config.as_slice()), ("manifest.json", manifest.as_bytes()), layer];
    tar_of(path, &[&own, extra].concat());
}

/// Writes an archive that has an image without layers for each of these tags.
fn archive_of_tags(path: &Path, tags: &[&str]) {
    let item = |tag: &&str| format!(r#"{{"Config":"c.json","RepoTags":["{tag}"],"Layers":[]}}"#);
    let manifest = format!("[{}]", tags.iter().map(item).collect::<Vec<_>>().join(","));
    let config = ImageConfig::scratch().to_bytes();
    tar_of(path, &[("c.json", config.as_slice()), ("manifest.json", manifest.as_bytes())]);
}

fn tar_of(path: &Path, files: &[(&str, &[u8])]) {
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.finish().unwrap();
}

fn location(path: &Path, rest: &str) -> Location {
    Location::parse(&format!("docker-archive:{}{rest}", path.display())).unwrap()
}

fn places<'a>(
    scratch: &'a Path,
    registries: &'a RegistrySettings,
    access: &'a Access,
    machine: &'a MachineStorage,
) -> Places<'a> {
    Places { scratch, registries, access, reporter: &Silent, machine, builder: None }
}

fn copy(from: &Location, to: &Location, scratch: &Path) -> Result<Digest> {
    let (registries, access, machine) = Default::default();
    let places = places(scratch, &registries, &access, &machine);
    let (source, sink) = (open::source(places, from)?, open::sink(places, to)?);
    Ok(copy_image(&*source, &*sink, &CopyOptions::default(), &Silent)?.manifest.digest)
}

/// What the image at a location is called there.
fn tags(at: &Location, scratch: &Path) -> Result<Vec<String>> {
    let (registries, access, machine) = Default::default();
    open::source(places(scratch, &registries, &access, &machine), at)?.tags()
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
    let (registries, access, machine) = Default::default();
    let places = self::places(dir.path(), &registries, &access, &machine);
    let last = open::source(places, &from).unwrap();
    let first = open::source(places, &location(&at("first.tar"), "@0")).unwrap();
    assert_eq!(last.manifest().unwrap(), first.manifest().unwrap());
}

#[test]
fn a_name_is_written_in_full_as_docker_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    let first = dir.path().join("first.tar");
    archive_of_tags(&first, &["a:1"]);
    for (number, (given, full)) in [
        (":x:y", format!("{}/library/x:y", hub())),
        (":team/x", format!("{}/team/x:latest", hub())),
        (":localhost/x:y", "localhost/x:y".to_owned()),
        (":registry.example/x:y", "registry.example/x:y".to_owned()),
    ]
    .iter()
    .enumerate()
    {
        let to = dir.path().join(number.to_string());
        copy(&location(&first, ""), &location(&to, given), dir.path()).unwrap();
        for pick in ["", given, &format!(":{full}")] {
            assert_eq!(tags(&location(&to, pick), dir.path()).unwrap(), [full.as_str()], "{given} {pick}");
        }
    }
}

#[test]
fn a_name_means_the_tag_that_fits_best() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tar");
    let at = |pick: &str| tags(&location(&path, pick), dir.path());
    let library = format!("{}/library/x:y", hub());
    let by_fit = ["x:y", &library, "localhost/x:y"];
    // Each but the last with what fits worse before it, by the name that it is completed to or one without a host.
    for best in 0..by_fit.len() {
        let there: Vec<&str> = by_fit[best..].iter().rev().copied().collect();
        archive_of_tags(&path, &there);
        assert_eq!(at(":x:y").unwrap(), [by_fit[best]]);
    }
    archive(&path, ("layer", b""), Digest::of(b""), &[]);
    assert_eq!(at(":b:2").unwrap(), ["b:2"]);
    assert_eq!(at("").unwrap(), ["a:1", "b:2"]);
    archive_of_tags(&path, &["localhost/x:y", "x:y"]);
    assert_eq!(at(&format!(":{library}")).unwrap(), ["x:y"]);
    assert_eq!(at(":x:z").unwrap_err().kind(), Kind::NotFound);
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
