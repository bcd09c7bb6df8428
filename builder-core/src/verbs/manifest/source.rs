//! A list as a source: its index, and what that names, in the store or in registries.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::name::Location;
use crate::oci::{Descriptor, Digest, ImageConfig, MAX_MANIFEST, Manifest};
use crate::store::layers::Packed;
use crate::store::lists::StoredList;
use crate::transport::source::{Content, RawManifest};
use crate::transport::{Places, Source, StoreSource, open};
use crate::verbs::manifest::entry::remote_manifest;

/// A list of the store. The caller holds a lease on its index, and with it on all that is in the store.
pub(super) struct ListSource<'a> {
    builder: &'a Builder<'a>,
    name: String,
    index: RawManifest,
    elsewhere: BTreeMap<Digest, String>,
    /// The images that are in the store, each as a source of its own: that knows how to write layers that are trees.
    images: BTreeMap<Digest, StoreSource<'a>>,
    /// The repositories that have the others.
    registries: BTreeMap<String, Box<dyn Source + 'a>>,
    /// Who has a blob: filled while manifests are read.
    blobs: Mutex<BTreeMap<Digest, Owner>>,
}

/// Who has a blob.
#[derive(Debug, Clone)]
enum Owner {
    /// An image of the store, by its manifest.
    Image(Digest),
    /// A repository.
    Repository(String),
}

impl<'a> ListSource<'a> {
    /// Opens what the list names.
    pub fn new(builder: &'a Builder<'a>, places: Places<'a>, list: StoredList) -> Result<Self> {
        let name = list.entry.names.first().cloned().unwrap_or_else(|| list.entry.id.short());
        let bytes = builder.store.read_blob(list.entry.manifest.digest, MAX_MANIFEST)?;
        let mut registries: BTreeMap<String, Box<dyn Source + 'a>> = BTreeMap::new();
        for place in list.elsewhere.values() {
            if !registries.contains_key(place) {
                registries.insert(place.clone(), open::source(places, &Location::parse(place)?)?);
            }
        }
        let mut images = BTreeMap::new();
        for entry in &list.index.manifests {
            if !list.elsewhere.contains_key(&entry.digest)
                && let Some(image) = local(builder, &name, entry)?
            {
                images.insert(entry.digest, image);
            }
        }
        Ok(ListSource {
            builder,
            name,
            index: RawManifest { media_type: list.entry.manifest.media_type, bytes },
            elsewhere: list.elsewhere,
            images,
            registries,
            blobs: Mutex::default(),
        })
    }

    fn owner(&self, blob: Digest) -> Option<&dyn Source> {
        let owner = self.blobs.lock().unwrap_or_else(PoisonError::into_inner).get(&blob).cloned();
        match owner? {
            Owner::Image(digest) => self.images.get(&digest).map(|image| image as &dyn Source),
            Owner::Repository(place) => self.registries.get(&place).map(|source| &**source as &dyn Source),
        }
    }
}

/// An image that is in the store; none where the entry is an index itself, or is not there.
fn local<'a>(builder: &'a Builder<'a>, name: &str, entry: &Descriptor) -> Result<Option<StoreSource<'a>>> {
    if !builder.store.has_blob(entry.digest) {
        return Ok(None);
    }
    let bytes = builder.store.read_blob(entry.digest, MAX_MANIFEST)?;
    let Ok(manifest) = Manifest::parse(&bytes) else { return Ok(None) };
    let config = builder.store.read_blob(manifest.config.digest, MAX_MANIFEST)?;
    // An artifact's config names no layers: its blobs are files, not trees.
    let diff_ids = serde_json::from_slice::<ImageConfig>(&config).map(|config| config.rootfs.diff_ids);
    let diff_ids = diff_ids.unwrap_or_default();
    Ok(Some(StoreSource::made(builder, name.to_owned(), config, &manifest, diff_ids)))
}

impl Source for ListSource<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn manifest(&self) -> Result<RawManifest> {
        Ok(self.index.clone())
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        let digest = descriptor.digest;
        let (raw, owner) =
            match self.elsewhere.get(&digest).and_then(|place| self.registries.get_key_value(place)) {
                Some((place, source)) => {
                    (remote_manifest(&**source, descriptor)?, Owner::Repository(place.clone()))
                }
                None => {
                    let bytes = self.builder.store.read_blob(digest, MAX_MANIFEST)?;
                    let media_type = descriptor.media_type.clone();
                    (RawManifest { media_type, bytes }, Owner::Image(digest))
                }
            };
        if let Ok(manifest) = Manifest::parse(&raw.bytes) {
            let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
            for blob in manifest.layers.iter().chain([&manifest.config]) {
                blobs.insert(blob.digest, owner.clone());
            }
        }
        Ok(raw)
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        let owner = self.owner(blob.digest).ok_or_else(|| {
            Error::corrupt(format!("cannot open the blob `{}`", blob.digest))
                .because("no image in the list has it")
        })?;
        owner.blob(blob)
    }

    fn forms(&self, diff_id: Digest) -> Result<Vec<Packed>> {
        // A layer that is a tree is named by its diff id in the store.
        self.owner(diff_id).map_or(Ok(Vec::new()), |owner| owner.forms(diff_id))
    }

    fn remember(&self, diff_id: Digest, form: Packed) -> Result<()> {
        self.owner(diff_id).map_or(Ok(()), |owner| owner.remember(diff_id, form))
    }

    fn repositories(&self, blob: &Descriptor) -> Vec<String> {
        self.owner(blob.digest).map_or_else(Vec::new, |owner| owner.repositories(blob))
    }
}
