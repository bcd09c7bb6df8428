//! What `docker save` writes, for reading: `manifest.json` names, for each image, a config, layers and names.
//!
//! The format is described in Docker's image specification 1.2 ("Combined Image JSON + Filesystem Changeset Format").
//! Layers in it are plain tars named by anything; a manifest of Docker's schema 2 is made up for them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::layer::decode;
use crate::name::{Pick, Reference};
use crate::oci::{Descriptor, Digest, Format, ImageConfig, MAX_MANIFEST, Manifest, media_type};
use crate::transport::archive::legacy;
use crate::transport::files::Files;
use crate::transport::source::{Content, RawManifest, Source};

/// One image in `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Item {
    /// The entry with the config.
    pub config: String,
    /// Names with tags.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// The entries with the layers, the lowest first.
    #[serde(default)]
    pub layers: Vec<String>,
    /// Whether it is of an archive without `manifest.json`.
    #[serde(skip)]
    pub legacy: bool,
}

/// One image of an archive.
pub(crate) struct DockerArchiveSource {
    files: Box<dyn Files>,
    name: String,
    /// All it has there, or the one it was found by.
    tags: Vec<String>,
    config: Vec<u8>,
    raw: RawManifest,
    /// The entry of each layer.
    entries: BTreeMap<Digest, String>,
}

/// All images that an archive names.
pub(crate) fn items(files: &dyn Files) -> Result<Vec<Item>> {
    let bytes = match files.read("manifest.json", MAX_MANIFEST) {
        Ok(bytes) => bytes,
        Err(cause) => {
            let missing = cause.kind() == io::ErrorKind::NotFound;
            if missing && files.read("repositories", MAX_MANIFEST).is_ok() {
                return legacy::items(files);
            }
            return Err(Error::corrupt("cannot read the archive's `manifest.json`")
                .because(cause)
                .hint("name an archive that `docker save` or `podman save` has written"));
        }
    };
    serde_json::from_slice(&bytes)
        .map_err(|cause| Error::corrupt("cannot read the archive's `manifest.json`").because(cause))
}

impl DockerArchiveSource {
    /// Opens one image. `place` is how messages call the archive.
    pub fn open(files: Box<dyn Files>, place: &str, pick: &Pick) -> Result<Self> {
        let items = items(&*files)?;
        let (item, tag) = find(&items, place, pick)?;
        let config = match item.legacy {
            true => legacy::config(&*files, item)?,
            false => files.read(&item.config, MAX_MANIFEST).cannot("read the image config", &item.config)?,
        };
        let parsed: ImageConfig = serde_json::from_slice(&config).map_err(|cause| {
            Error::corrupt(format!("cannot read the image config `{}`", item.config)).because(cause)
        })?;
        let diff_ids = &parsed.rootfs.diff_ids;
        if diff_ids.len() != item.layers.len() {
            return Err(Error::corrupt(format!("cannot read the image config `{}`", item.config))
                .because(format!("it names {} layers, the archive {}", diff_ids.len(), item.layers.len())));
        }
        let mut layers = Vec::new();
        let mut entries = BTreeMap::new();
        for (entry, diff_id) in item.layers.iter().zip(diff_ids) {
            let size = files.plain_size(entry).cannot("read the layer", entry)?;
            layers.push(Descriptor::new(media_type::DOCKER_LAYER, *diff_id, size));
            entries.insert(*diff_id, entry.clone());
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: Format::Docker.manifest().into(),
            config: Descriptor::of(Format::Docker.config(), &config),
            layers,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        };
        let raw = RawManifest { media_type: manifest.media_type.clone(), bytes: manifest.to_bytes() };
        let name = match pick {
            Pick::Name(name) => format!("{place}:{name}"),
            pick => format!("{place}{}", pick.as_written()),
        };
        let tags = match tag {
            Some(tag) => vec![tag.to_owned()],
            None => item.repo_tags.clone().unwrap_or_default(),
        };
        Ok(DockerArchiveSource { files, name, tags, config, raw, entries })
    }
}

/// Whether a name means a tag of an archive: of all tags, the first is taken that fits by the first of these.
const FITS: [fn(&str, &str) -> bool; 3] =
    [|name, tag| name == tag, Reference::is_same_for_docker, Reference::is_meant];

/// The image that is meant, and its tag where a name meant it.
fn find<'a>(items: &'a [Item], place: &str, pick: &Pick) -> Result<(&'a Item, Option<&'a str>)> {
    let tags = |item: &'a Item| item.repo_tags.iter().flatten().map(String::as_str);
    let found = match pick {
        Pick::Only if items.len() == 1 => items.first().map(|item| (item, None)),
        Pick::Only | Pick::Digest(_) => None,
        Pick::Index(index) => items.get(*index).map(|item| (item, None)),
        Pick::Name(name) => FITS.iter().find_map(|fits| {
            items.iter().find_map(|item| Some((item, Some(tags(item).find(|tag| fits(name, tag))?))))
        }),
    };
    found.ok_or_else(|| {
        let path = place.split_once(':').map_or(place, |(_, path)| path);
        let sentence = match pick {
            Pick::Only => format!("cannot choose an image in `{path}`"),
            pick => format!("cannot find the image `{}` in `{path}`", pick.as_written()),
        };
        let names: Vec<&str> = items.iter().flat_map(tags).collect();
        let count = if items.len() == 1 { "one image".to_owned() } else { format!("{} images", items.len()) };
        let list = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        let first = names.first().map_or("@0".to_owned(), |name| format!(":{name}"));
        Error::new(Kind::NotFound, sentence)
            .because(format!("it has {count}{list}"))
            .hint(format!("name one of them: {place}{first}"))
    })
}

impl Source for DockerArchiveSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn tags(&self) -> Result<Vec<String>> {
        Ok(self.tags.clone())
    }

    fn manifest(&self) -> Result<RawManifest> {
        Ok(self.raw.clone())
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        Err(Error::corrupt(format!("cannot read the manifest `{}`", descriptor.digest))
            .because("an archive of Docker's has no index"))
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        if blob.digest == Digest::of(&self.config) {
            return Ok(Content::Stored(Box::new(self.config.as_slice())));
        }
        let entry = self.entries.get(&blob.digest).map_or("", String::as_str);
        let opened = self.files.open(entry).and_then(|(reader, _)| decode(reader));
        let plain: Box<dyn Read + Send> = Box::new(opened.cannot("read the layer", entry)?);
        Ok(Content::Stored(plain))
    }
}
