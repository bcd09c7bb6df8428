//! `source create|add|push|pull`: source images, which carry what an image was built from, each artifact as a layer
//! (buildah-source(1)). One is an OCI layout in a directory, with one image that has no name; the store has no part
//! in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use serde::Serialize;

use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::layer::tar::{Profile, is_archive, write};
use crate::layer::{Compression, Digesting, Encoder, decode, pour};
use crate::name::{Location, Pick, Reference};
use crate::oci::{Descriptor, Digest, Format, Manifest, media_type};
use crate::settings::{MachineStorage, RegistrySettings};
use crate::transport::layout::{LayoutSink, LayoutSource, blob_name};
use crate::transport::source::RawManifest;
use crate::transport::{Access, CopyOptions, Places, Source, copy_image, open};
use crate::tree::{Marks, RelPath, Root, entry_at, walk};

/// What the config of a source image is.
const CONFIG: &str = "application/vnd.oci.source.image.config.v1+json";

/// A source image in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceImage {
    /// The directory.
    pub dir: PathBuf,
}

/// What a source image says of itself.
#[derive(Serialize)]
struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
}

impl SourceImage {
    /// Makes one without artifacts. `dated` gives it the time it is made at.
    pub fn create(&self, author: Option<&str>, dated: bool) -> Result<()> {
        self.must_be_new()?;
        let created = dated.then(|| jiff::Timestamp::now().to_string());
        let config = serde_json::to_vec(&Config { created, author }).expect("plain data becomes JSON");
        let manifest = Manifest {
            schema_version: 2,
            media_type: Format::Oci.manifest().into(),
            config: Descriptor::of(CONFIG, &config),
            layers: Vec::new(),
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        };
        let sink = LayoutSink::open(&self.dir, None)?;
        sink.put(&config)?;
        let bytes = manifest.to_bytes();
        sink.put(&bytes)?;
        sink.enter(&sink.alone()?, Descriptor::of(Format::Oci.manifest(), &bytes))
    }

    /// Adds a file or a directory as a layer: a tar that is compressed with gzip or zstd as it is, all else as a tar
    /// compressed with gzip.
    pub fn add(&self, artifact: &Path, annotations: BTreeMap<String, String>) -> Result<()> {
        // Before the layer is written: what is no source image stays as it is.
        self.manifest()?;
        let sink = LayoutSink::open(&self.dir, None)?;
        let mut layer = self.write_layer(&sink, artifact)?;
        layer.annotations = annotations;
        let alone = sink.alone()?;
        let (mut manifest, old) = self.manifest()?;
        manifest.layers.push(layer);
        let bytes = manifest.to_bytes();
        let new = Descriptor::of(Format::Oci.manifest(), &bytes);
        sink.put(&bytes)?;
        sink.enter(&alone, new.clone())?;
        if new.digest != old {
            let path = self.dir.join(blob_name(old));
            fs::remove_file(&path).cannot("remove", path.display())?;
        }
        Ok(())
    }

    /// Sends it to a registry. Gives the digest of its manifest.
    pub fn push(
        &self,
        target: &Reference,
        registries: &RegistrySettings,
        access: &Access,
        reporter: &dyn Reporter,
    ) -> Result<Digest> {
        self.manifest()?;
        let machine = MachineStorage::default();
        let places =
            Places { scratch: &self.dir, registries, access, reporter, machine: &machine, builder: None };
        let sink = open::sink(places, &Location::Registry(target.clone()))?;
        let copied = copy_image(&self.layout()?, &*sink, &CopyOptions::default(), reporter)?;
        Ok(copied.manifest.digest)
    }

    /// Fetches one from a registry into the directory, which must not exist.
    pub fn pull(
        &self,
        source: &Reference,
        registries: &RegistrySettings,
        access: &Access,
        reporter: &dyn Reporter,
    ) -> Result<()> {
        self.must_be_new()?;
        let machine = MachineStorage::default();
        let places =
            Places { scratch: &self.dir, registries, access, reporter, machine: &machine, builder: None };
        let location = Location::Registry(source.clone());
        let source = open::source(places, &location)?;
        manifest_of(&source.manifest()?, &location)?;
        let copied = LayoutSink::open(&self.dir, None)
            .and_then(|sink| copy_image(&*source, &sink, &CopyOptions::default(), reporter));
        if copied.is_err() {
            // It was not there before; half of it serves nobody.
            let _ = fs::remove_dir_all(&self.dir);
        }
        copied.map(drop)
    }

    fn must_be_new(&self) -> Result<()> {
        match fs::symlink_metadata(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).cannot("open", self.dir.display()),
            Ok(_) => Err(Error::invalid(format!("cannot make a source image in `{}`", self.dir.display()))
                .because("it exists already")
                .hint("name a new directory")),
        }
    }

    fn layout(&self) -> Result<LayoutSource> {
        let root = Root::open_host(&self.dir).cannot("open the source image", self.dir.display())?;
        LayoutSource::open(Box::new(root), format!("oci:{}", self.dir.display()), Pick::Only)
    }

    /// Its manifest, and the digest of that.
    fn manifest(&self) -> Result<(Manifest, Digest)> {
        let raw = self.layout()?.manifest()?;
        let location = Location::Oci { dir: self.dir.clone(), pick: Pick::Only };
        Ok((manifest_of(&raw, &location)?, raw.digest()))
    }

    fn write_layer(&self, sink: &LayoutSink, artifact: &Path) -> Result<Descriptor> {
        let mut blob = Digesting::new(sink.blob().cannot("write", self.dir.display())?);
        let kind = match archive(artifact)? {
            Some((mut file, Compression::None)) => {
                let mut encoder = gzip(&mut blob).cannot("write", self.dir.display())?;
                let decoded = decode(&mut file).cannot("read", artifact.display())?;
                pour(&mut { decoded }, &mut encoder).cannot("read", artifact.display())?;
                encoder.finish().cannot("write", self.dir.display())?;
                Compression::Gzip
            }
            Some((mut file, compression)) => {
                pour(&mut file, &mut blob).cannot("read", artifact.display())?;
                compression
            }
            None => {
                let mut encoder = gzip(&mut blob).cannot("write", self.dir.display())?;
                tar(artifact, &mut encoder)?;
                encoder.finish().cannot("write", self.dir.display())?;
                Compression::Gzip
            }
        };
        let (file, digest, size) = blob.finish().cannot("write", self.dir.display())?;
        let digest = Digest::from_bytes(digest);
        let path = self.dir.join(blob_name(digest));
        file.publish(&path).cannot("write", path.display())?;
        let kind = if kind == Compression::Zstd { media_type::LAYER_ZSTD } else { media_type::LAYER_GZIP };
        Ok(Descriptor::new(kind, digest, size))
    }
}

/// The manifest of a source image; everything else is refused.
fn manifest_of(raw: &RawManifest, location: &Location) -> Result<Manifest> {
    let refused = |cause: String| {
        Error::invalid(format!("cannot take `{location}` for a source image"))
            .because(cause)
            .hint("make one with `kiln source create DIRECTORY`")
    };
    if raw.is_index() {
        return Err(refused("it is a list of images".into()));
    }
    let manifest = Manifest::parse(&raw.bytes)?;
    match manifest.config.media_type == CONFIG {
        true => Ok(manifest),
        false => Err(refused(format!("its config is of the type {}", manifest.config.media_type))),
    }
}

fn gzip<W: Write>(out: W) -> std::io::Result<Encoder<W>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    Encoder::new(Compression::Gzip, Compression::Gzip.default_level(), workers, out)
}

/// The artifact, if it is a tar, and which of the forms of a layer it has; none for one that must be decompressed.
fn archive(artifact: &Path) -> Result<Option<(File, Compression)>> {
    // A pipe must not make us wait.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = File::options().read(true).custom_flags(nonblocking).open(artifact);
    let mut file = opened.cannot("open", artifact.display())?;
    let meta = file.metadata().cannot("open", artifact.display())?;
    if meta.is_dir() {
        return Ok(None);
    }
    if !meta.is_file() {
        return Err(Error::invalid(format!("cannot add `{}`", artifact.display()))
            .because("it is neither a regular file nor a directory")
            .hint("name a file, a tar or a directory"));
    }
    // What is no compressed file after all fails here, and is taken as the plain file it is.
    if !decode(&mut file).and_then(is_archive).unwrap_or(false) {
        return Ok(None);
    }
    file.rewind().cannot("read", artifact.display())?;
    let mut start = [0; 4];
    file.read_exact(&mut start).cannot("read", artifact.display())?;
    file.rewind().cannot("read", artifact.display())?;
    let compression = match start {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    };
    Ok(Some((file, compression)))
}

/// Writes a file, or what is in a directory, as a tar.
fn tar(artifact: &Path, out: &mut impl Write) -> Result<()> {
    let profile = Profile::default();
    if artifact.is_dir() {
        let root = Root::open_host(artifact).cannot("open", artifact.display())?;
        return write(walk(&root, Marks::None), &profile, out).map(drop);
    }
    // Of a symlink, the file it leads to.
    let artifact = &artifact.canonicalize().cannot("open", artifact.display())?;
    let (Some(parent), Some(name)) = (artifact.parent(), artifact.file_name()) else {
        return Err(Error::invalid(format!("cannot add `{}`", artifact.display())).because("it has no name"));
    };
    let root = Root::open_host(parent).cannot("open", parent.display())?;
    let entry = entry_at(&root, &RelPath::parse(name)?)?
        .ok_or_else(|| Error::new(Kind::NotFound, format!("cannot find `{}`", artifact.display())))?;
    write(std::iter::once(Ok(entry)), &profile, out).map(drop)
}
