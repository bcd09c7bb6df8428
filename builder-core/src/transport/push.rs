//! From the store into an OCI layout: blobs byte for byte, trees written, compressed and digested in one pass.

use std::io::Write;
use std::path::Path;

use crate::builder::Builder;
use crate::error::{Context, Error, Result};
use crate::event::Event;
use crate::layer::{Compression, Encoder, Times};
use crate::oci::{Descriptor, Digest, Format, Manifest, media_type};
use crate::store::export::{TreeLayer, profile_times};
use crate::store::layers::Export;
use crate::transport::layout::LayoutWriter;

/// Compression workers at most: each holds a few megabytes, and memory has a bound on any machine.
const MAX_WORKERS: usize = 8;

/// An image on its way into a layout.
pub(crate) struct Push<'a> {
    builder: &'a Builder<'a>,
    layout: LayoutWriter,
    compression: Compression,
}

impl<'a> Push<'a> {
    /// Opens the layout, making it if it does not exist. Layers that are trees go there compressed so.
    pub fn open(builder: &'a Builder<'a>, dir: &Path, compression: Compression) -> Result<Self> {
        Ok(Push { builder, layout: LayoutWriter::open(dir)?, compression })
    }

    /// Sends the layers of an image; each descriptor becomes that of the blob that was sent.
    pub fn layers(&mut self, layers: &mut [Descriptor], diff_ids: &[Digest]) -> Result<()> {
        for (place, layer) in layers.iter_mut().enumerate() {
            if self.builder.store.has_blob(layer.digest) {
                self.blob(layer)?;
            } else {
                *layer = self.made_again(&diff_ids[..=place])?;
            }
        }
        Ok(())
    }

    /// Sends a layer that is a tree, and says what its tar and its blob are.
    pub fn tree(&mut self, layer: &TreeLayer, times: Times) -> Result<(Export, Descriptor)> {
        let known = layer.remembered(&self.builder.store, times)?;
        let media_type = self.media_type();
        if let Some(export) = known {
            let made = export
                .blobs
                .iter()
                .find(|blob| blob.media_type == media_type && self.layout.has(blob))
                .cloned();
            if let Some(blob) = made {
                return Ok((export, blob));
            }
        }
        let task = "writing layer".to_owned();
        self.builder.report(Event::Began { task: task.clone(), bytes: None });
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        let level = self.compression.default_level();
        let encoder = Encoder::new(self.compression, level, workers, self.layout.blob()?);
        let mut encoder = encoder.cannot("write", "the layer")?;
        let mut export = layer.write(&self.builder.store, times, &mut encoder)?;
        let blob = encoder.finish().cannot("write the layer", export.diff_id)?;
        let (digest, size) = self.layout.publish(blob)?;
        let sent = Descriptor::new(media_type, digest, size);
        export.blobs.push(sent.clone());
        self.builder.report(Event::Ended { task });
        Ok((export, sent))
    }

    /// Publishes config and manifest, its layers sent before. Gives the manifest's digest.
    pub fn publish(self, config: &[u8], mut manifest: Manifest, name: Option<&str>) -> Result<Digest> {
        let format = manifest.format();
        for layer in &mut manifest.layers {
            layer.media_type = format.layer(&layer.media_type).into();
        }
        self.layout.put(config)?;
        let bytes = manifest.to_bytes();
        self.layout.put(&bytes)?;
        self.layout.enter(Descriptor::of(format.manifest(), &bytes), name)?;
        Ok(Digest::of(&bytes))
    }

    /// As [`Push::publish`], for a manifest whose layers were all sent as they are: byte for byte.
    pub fn publish_unchanged(
        self,
        config: &[u8],
        manifest: &[u8],
        format: Format,
        name: Option<&str>,
    ) -> Result<Digest> {
        self.layout.put(config)?;
        self.layout.put(manifest)?;
        self.layout.enter(Descriptor::of(format.manifest(), manifest), name)?;
        Ok(Digest::of(manifest))
    }

    fn media_type(&self) -> &'static str {
        match self.compression {
            Compression::None => media_type::LAYER,
            Compression::Gzip => media_type::LAYER_GZIP,
            Compression::Zstd => media_type::LAYER_ZSTD,
        }
    }

    fn blob(&self, layer: &Descriptor) -> Result<()> {
        if self.layout.has(layer) {
            return Ok(());
        }
        let task = format!("copying blob {}", layer.digest.short());
        self.builder.report(Event::Began { task: task.clone(), bytes: Some(layer.size) });
        let mut blob = self.layout.blob()?;
        let mut source = self.builder.store.open_blob(layer.digest)?;
        std::io::copy(&mut source, &mut blob).cannot("copy the blob", layer.digest)?;
        blob.flush().cannot("copy the blob", layer.digest)?;
        let (found, _) = self.layout.publish(blob)?;
        if found != layer.digest {
            return Err(Error::corrupt(format!("cannot copy the blob `{}`", layer.digest))
                .because(format!("its content has the digest {found}"))
                .hint("mend the store with `kiln check --repair`"));
        }
        self.builder.report(Event::Ended { task });
        Ok(())
    }

    /// Writes a layer whose blob is not kept, from its tree, as it was hashed when it was committed.
    fn made_again(&mut self, chain: &[Digest]) -> Result<Descriptor> {
        let store = &self.builder.store;
        let (diff_id, below) = chain.split_last().expect("a layer is in its own chain");
        let sentence = || format!("cannot write the layer `{diff_id}`");
        let missing = |why: &str| {
            Error::corrupt(sentence()).because(why.to_owned()).hint("see what is damaged with `kiln check`")
        };
        let tree = store
            .layer_tree(chain)
            .ok_or_else(|| missing("neither its blob nor its tree is in the store"))?;
        let mut record = store.tree(&tree)?;
        let times = record.exports.iter().filter(|export| export.diff_id == *diff_id);
        let times = times.filter_map(|export| profile_times(&export.profile)).next();
        let times = times.ok_or_else(|| {
            Error::corrupt(sentence())
                .because(
                    "its blob is gone, and its tree was unpacked from a tar that only its maker can write",
                )
                .hint("pull the image again")
        })?;
        let layer = TreeLayer { parts: store.parts_or_empty(&tree)?, below: below.to_vec() };
        let (export, sent) = self.tree(&layer, times)?;
        if export.diff_id != *diff_id {
            return Err(missing(&format!("its tree is now {}", export.diff_id)));
        }
        for known in record.exports.iter_mut().filter(|known| known.diff_id == *diff_id) {
            if !known.blobs.contains(&sent) {
                known.blobs.push(sent.clone());
            }
        }
        self.builder.store.write_tree_record(&tree, &record)?;
        Ok(sent)
    }
}
