//! An image of a storage for reading. Its layers come as they were before compression, made of their files and
//! tar-splits: the storage keeps no compressed blobs, though it knows their digests.

use std::fs::File;
use std::path::PathBuf;

use super::find::Found;
use super::place::Storage;
use super::tables::Layer;
use crate::error::{Context, Error, Result};
use crate::layer::Compression;
use crate::layer::tar::split;
use crate::name::Reference;
use crate::oci::{Descriptor, Digest, Manifest};
use crate::store::layers::Packed;
use crate::transport::convert::layer_type;
use crate::transport::source::{Content, RawManifest, Source};
use crate::tree::Root;

/// One image of a storage.
#[derive(Debug)]
pub(crate) struct StorageSource {
    storage: Storage,
    name: String,
    found: Found,
    raw: RawManifest,
    manifest: Manifest,
    /// With the directory of its files and its tar-split, the lowest first.
    layers: Vec<(PathBuf, Layer)>,
}

/// A layer where it is.
#[derive(Debug)]
pub(crate) struct InPlace {
    /// The directory of its files.
    pub files: PathBuf,
    /// Its tar-split.
    pub split: PathBuf,
    /// The length of its tar.
    pub size: u64,
}

impl StorageSource {
    /// Opens the image that `image` names; of a list, that for this machine.
    pub fn open(storage: Storage, image: &str) -> Result<Self> {
        let found = storage.find(image)?;
        let found = if found.is_list() { storage.image_of_list(&found)? } else { found };
        let asked = image.parse::<Reference>().ok().and_then(|name| name.digest());
        StorageSource::of(storage, found, image, asked)
    }

    /// Opens the image that has this manifest; none if there is none.
    pub fn of_manifest(storage: &Storage, manifest: Digest) -> Result<Option<Self>> {
        let found = storage.instance(manifest)?;
        found
            .map(|found| StorageSource::of(storage.clone(), found, &manifest.to_string(), Some(manifest)))
            .transpose()
    }

    /// The image by its manifest of the digest that was asked for, of which it may have several; else by its newest.
    fn of(storage: Storage, found: Found, image: &str, asked: Option<Digest>) -> Result<Self> {
        let name = storage.name(image);
        let damaged = |why: String| {
            Error::corrupt(format!("cannot read the image `{name}`"))
                .because(why)
                .hint("remove it with `podman rmi`, and pull it again")
        };
        // The image's `digest` in the table may be an older one's: other programs leave it as it was.
        let asked = asked.map(|digest| format!("manifest-{digest}"));
        let key = asked.as_ref().filter(|key| found.image.big_data_names.contains(key));
        let raw = RawManifest::sniffed(found.file(&storage, key.map_or("manifest", String::as_str))?)?;
        let manifest = Manifest::parse(&raw.bytes)?;
        let layers = storage.chain(&found.image.layer)?;
        if layers.len() != manifest.layers.len() {
            let (there, named) = (layers.len(), manifest.layers.len());
            return Err(damaged(format!("it has {there} layers, and its manifest names {named}")));
        }
        if let Some((_, layer)) = layers.iter().find(|(_, layer)| diff_id(layer).is_none()) {
            return Err(damaged(format!("of the layer {} no diff id is known", layer.id)));
        }
        Ok(StorageSource { storage, name, found, raw, manifest, layers })
    }

    /// The image id: its config's digest.
    pub fn id(&self) -> Digest {
        self.manifest.config.digest
    }

    /// Where a layer is, if it may be used in place: as the kernel's overlay has it, and with its tar-split.
    pub fn in_place(&self, diff_id: Digest) -> Option<InPlace> {
        let (root, layer) = self.layer(diff_id)?;
        let (files, split) = (self.storage.tree(root, &layer.id), self.storage.split(root, &layer.id));
        let size = u64::try_from(layer.diff_size).ok().filter(|size| *size > 0)?;
        let fits = self.storage.is_overlay() && !self.storage.has_mount_program(root);
        (fits && files.is_dir() && split.is_file()).then_some(InPlace { files, split, size })
    }

    fn layer(&self, diff: Digest) -> Option<&(PathBuf, Layer)> {
        self.layers.iter().find(|(_, layer)| diff_id(layer) == Some(diff))
    }
}

fn diff_id(layer: &Layer) -> Option<Digest> {
    layer.diff_digest.parse().ok()
}

impl Source for StorageSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn tags(&self) -> Result<Vec<String>> {
        Ok(self.found.image.names.clone())
    }

    fn manifest(&self) -> Result<RawManifest> {
        Ok(self.raw.clone())
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        RawManifest::sniffed(self.found.file(&self.storage, &format!("manifest-{}", descriptor.digest))?)
    }

    fn plain_layers(&self) -> Option<Vec<Descriptor>> {
        let plain = layer_type(self.manifest.format(), Compression::None);
        let described = |(_, layer): &(_, Layer)| {
            Descriptor::new(
                plain,
                diff_id(layer).unwrap_or(Digest::of(b"")),
                u64::try_from(layer.diff_size).unwrap_or(0),
            )
        };
        Some(self.layers.iter().map(described).collect())
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        if blob.digest == self.manifest.config.digest {
            let bytes = self.found.file(&self.storage, &blob.digest.to_string())?;
            return Ok(Content::Stored(Box::new(std::io::Cursor::new(bytes))));
        }
        let (root, layer) = self.layer(blob.digest).ok_or_else(|| {
            Error::corrupt(format!("cannot open the blob `{}`", blob.digest))
                .because("the storage has no such layer")
        })?;
        let sentence = format!("cannot read the layer `{}`", layer.id);
        let split = self.storage.split(root, &layer.id);
        let split = File::open(&split).map_err(|cause| {
            Error::corrupt(sentence.clone())
                .because(cause)
                .hint("push the image with `podman push`, which writes such a layer anew")
        })?;
        let tree = self.storage.tree(root, &layer.id);
        let tree = Root::open_host(&tree).cannot("open", tree.display())?;
        Ok(Content::Made(Box::new(move |out| {
            split::join(split, &tree, out).map_err(|error| Error::new(error.kind(), sentence).because(error))
        })))
    }

    fn forms(&self, diff_id: Digest) -> Result<Vec<Packed>> {
        let Some(place) = self.layers.iter().position(|(_, layer)| self::diff_id(layer) == Some(diff_id))
        else {
            return Ok(Vec::new());
        };
        let (layer, named) = (&self.layers[place].1, &self.manifest.layers[place]);
        let known = layer.compressed_diff_digest.parse().is_ok_and(|digest: Digest| digest == named.digest);
        Ok((known && named.digest != diff_id).then(|| named.clone().into()).into_iter().collect())
    }
}
