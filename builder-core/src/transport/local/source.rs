//! Images out of the store: blobs byte for byte, and layers that are trees written as they were hashed at commit.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::OnceLock;

use crate::builder::Builder;
use crate::error::{Context, Error, Result};
use crate::layer::tar::split;
use crate::layer::{Compression, Times};
use crate::name::Reference;
use crate::oci::{Descriptor, Digest, Format, Manifest};
use crate::store::export::{TreeLayer, profile_times};
use crate::store::images::StoredImage;
use crate::store::layers::Packed;
use crate::store::{Store, TreeId};
use crate::transport::convert::layer_type;
use crate::transport::source::{Content, RawManifest, Source};
use crate::tree::Root;

/// One image of the store, or one that was made and is not published. The caller holds leases on what it names.
pub(crate) struct StoreSource<'a> {
    builder: &'a Builder<'a>,
    name: String,
    raw: RawManifest,
    config: Vec<u8>,
    layers: Vec<Descriptor>,
    diff_ids: Vec<Digest>,
    /// Where images of the store were pulled from or pushed to by their names, and the blobs of each; looked up when
    /// first asked for.
    elsewhere: OnceLock<Vec<(String, BTreeSet<Digest>)>>,
}

/// How many places are tried for one blob.
const MAX_PLACES: usize = 3;

/// How many images of the store are looked at for a place that may have a blob.
const MAX_LOOKED_AT: usize = 1000;

impl<'a> StoreSource<'a> {
    /// An image of the store.
    pub fn new(builder: &'a Builder<'a>, image: StoredImage) -> Self {
        let name = image.entry.names.first().cloned().unwrap_or_else(|| image.entry.id.short());
        let media_type = image.entry.manifest.media_type;
        StoreSource {
            builder,
            name,
            raw: RawManifest { media_type, bytes: image.manifest_bytes },
            config: image.config_bytes,
            layers: image.manifest.layers,
            diff_ids: image.config.rootfs.diff_ids,
            elsewhere: OnceLock::new(),
        }
    }

    /// An image that was made just now: its layers are in the store, config and manifest need not be.
    pub fn made(
        builder: &'a Builder<'a>,
        name: String,
        config: Vec<u8>,
        manifest: &Manifest,
        diff_ids: Vec<Digest>,
    ) -> Self {
        let raw = RawManifest { media_type: manifest.format().manifest().into(), bytes: manifest.to_bytes() };
        let (layers, elsewhere) = (manifest.layers.clone(), OnceLock::new());
        StoreSource { builder, name, raw, config, layers, diff_ids, elsewhere }
    }

    /// The repositories that images of the store are named after, with the blobs of each image. A name is no proof that
    /// it is there, but a reason to ask.
    fn named_places(&self) -> Result<Vec<(String, BTreeSet<Digest>)>> {
        let mut found = Vec::new();
        for entry in self.store().image_entries()?.into_iter().take(MAX_LOOKED_AT) {
            let names = entry.names.iter().filter_map(|name| name.parse::<Reference>().ok());
            let places: BTreeSet<String> = names.map(|name| name.repository()).collect();
            let read = |manifest: &Descriptor| self.store().read_image(manifest.digest).ok();
            let layers = entry.manifests().filter_map(read).flat_map(|(manifest, _)| manifest.layers);
            let blobs: BTreeSet<Digest> = layers.map(|layer| layer.digest).collect();
            found.extend(places.into_iter().map(|place| (place, blobs.clone())));
        }
        Ok(found)
    }

    fn store(&self) -> &'a Store {
        &self.builder.store
    }

    /// The layers up to the one that has this blob.
    fn chain(&self, blob: Digest) -> Option<&[Digest]> {
        let named = self.layers.iter().position(|layer| layer.digest == blob);
        let place = named.or_else(|| self.diff_ids.iter().position(|diff_id| *diff_id == blob))?;
        self.diff_ids.get(..=place)
    }

    /// The tree of a layer, and how it was written when it was hashed.
    fn tree(&self, chain: &[Digest]) -> Result<(TreeId, Times)> {
        let diff_id = chain.last().expect("a layer is in its own chain");
        let sentence = || format!("cannot write the layer `{diff_id}`");
        let tree = self.store().layer_tree(chain).ok_or_else(|| {
            Error::corrupt(sentence())
                .because("neither its blob nor its tree is in the store")
                .hint("see what is damaged with `kiln check`")
        })?;
        let record = self.store().tree(&tree)?;
        let exports = record.exports.iter().filter(|export| export.diff_id == *diff_id);
        let times = exports.filter_map(|export| profile_times(&export.profile)).next();
        let times = times.ok_or_else(|| {
            Error::corrupt(sentence())
                .because(
                    "its blob is gone, and its tree was unpacked from a tar that only its maker can write",
                )
                .hint("pull the image again")
        })?;
        Ok((tree, times))
    }

    /// A layer whose files, and what its tar was beside them, are in another storage.
    fn borrowed(&self, chain: &[Digest]) -> Result<Option<Content<'_>>> {
        let Some(tree) = self.store().layer_tree(chain) else { return Ok(None) };
        let Some(split) = self.store().tree(&tree)?.split else { return Ok(None) };
        let split = File::open(&split).cannot("open", split.display())?;
        let files = Root::open_host(&self.store().tree_fs(&tree)).cannot("open the layer", &tree)?;
        Ok(Some(Content::Made(Box::new(move |out| split::join(split, &files, out)))))
    }

    /// The trees that are known to be a layer, whichever image they came with.
    fn trees_of(&self, diff_id: Digest) -> Option<TreeId> {
        let place = self.diff_ids.iter().position(|known| *known == diff_id)?;
        self.store().layer_tree(&self.diff_ids[..=place])
    }
}

impl Source for StoreSource<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn manifest(&self) -> Result<RawManifest> {
        Ok(self.raw.clone())
    }

    fn plain_layers(&self) -> Option<Vec<Descriptor>> {
        let plain = |(place, named): (usize, &Descriptor)| {
            let diff_id = *self.diff_ids.get(place)?;
            if named.digest == diff_id || self.store().has_blob(named.digest) {
                return Some(named.clone());
            }
            // Files of another storage, which keeps no blobs.
            let tree = self.store().layer_tree(&self.diff_ids[..=place])?;
            let record = self.store().tree(&tree).ok().filter(|record| record.split.is_some())?;
            let size = record.exports.iter().find(|export| export.diff_id == diff_id)?.size;
            let format = if named.media_type.contains("docker") { Format::Docker } else { Format::Oci };
            Some(Descriptor::new(layer_type(format, Compression::None), diff_id, size))
        };
        let described = |item: (usize, &Descriptor)| plain(item).unwrap_or_else(|| item.1.clone());
        Some(self.layers.iter().enumerate().map(described).collect())
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        let bytes = self.store().read_blob(descriptor.digest, crate::oci::MAX_MANIFEST)?;
        Ok(RawManifest { media_type: descriptor.media_type.clone(), bytes })
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        if blob.digest == Digest::of(&self.config) {
            return Ok(Content::Stored(Box::new(self.config.as_slice())));
        }
        match self.chain(blob.digest) {
            Some(chain) if !self.store().has_blob(blob.digest) => {
                if let Some(made) = self.borrowed(chain)? {
                    return Ok(made);
                }
                let (tree, times) = self.tree(chain)?;
                let (_, below) = chain.split_last().expect("a layer is in its own chain");
                let store = self.store();
                let layer = TreeLayer { parts: store.parts_or_empty(&tree)?, below: below.to_vec() };
                Ok(Content::Made(Box::new(move |mut out| layer.pour(store, times, &mut out))))
            }
            _ => Ok(Content::Stored(Box::new(self.store().open_blob(blob.digest)?))),
        }
    }

    fn repositories(&self, blob: &Descriptor) -> Vec<String> {
        let known = self.elsewhere.get_or_init(|| self.named_places().unwrap_or_default());
        let places = known.iter().filter(|(_, blobs)| blobs.contains(&blob.digest));
        places.map(|(place, _)| place.clone()).take(MAX_PLACES).collect()
    }

    fn forms(&self, diff_id: Digest) -> Result<Vec<Packed>> {
        let Some(tree) = self.trees_of(diff_id) else { return Ok(Vec::new()) };
        let exports = self.store().tree(&tree)?.exports.into_iter();
        Ok(exports.filter(|export| export.diff_id == diff_id).flat_map(|export| export.blobs).collect())
    }

    fn remember(&self, diff_id: Digest, form: Packed) -> Result<()> {
        let Some(tree) = self.trees_of(diff_id) else { return Ok(()) };
        self.store().update_tree(&tree, |record| {
            for export in record.exports.iter_mut().filter(|export| export.diff_id == diff_id) {
                if !export.blobs.contains(&form) {
                    export.blobs.push(form.clone());
                }
            }
        })
    }
}
