//! From an OCI layout into the store: each layer's blob is read once, kept, checked and unpacked in the same pass.

use std::path::Path;

use crate::builder::Builder;
use crate::error::Result;
use crate::event::Event;
use crate::oci::{Descriptor, Digest, Manifest};
use crate::rootfs::trees;
use crate::store::Work;
use crate::transport::layout::{Layout, Tee, read_config};

/// Brings an image into the store under `names`, ready to run. Gives its id.
pub(crate) fn pull_layout(
    builder: &Builder<'_>,
    dir: &Path,
    image: Option<&str>,
    names: &[String],
) -> Result<Digest> {
    let layout = Layout::open(dir)?;
    let (descriptor, manifest_bytes) = layout.find(image)?;
    let manifest = Manifest::parse(&manifest_bytes)?;
    let (config_bytes, config) = read_config(&layout, &manifest)?;
    let work = builder.store.work()?;
    let kept: Vec<String> = manifest
        .layers
        .iter()
        .map(|l| l.digest)
        .chain([manifest.config.digest, descriptor.digest])
        .map(|d| d.hex())
        .collect();
    builder.store.lease(&work, kept.iter().map(String::as_str))?;
    for (place, (layer, diff_id)) in manifest.layers.iter().zip(&config.rootfs.diff_ids).enumerate() {
        let chain = &config.rootfs.diff_ids[..=place];
        if let Some(tree) = builder.store.layer_tree(chain) {
            builder.store.lease(&work, [tree.as_str()])?;
        }
        pull_layer(builder, &work, &layout, layer, *diff_id, builder.store.layer_tree(chain).is_some())?;
    }
    let media_type = manifest.format().manifest();
    builder.store.publish_image(&work, &config_bytes, &manifest_bytes, media_type, names)
}

fn pull_layer(
    builder: &Builder<'_>,
    work: &Work,
    layout: &Layout,
    layer: &Descriptor,
    diff_id: Digest,
    has_tree: bool,
) -> Result<()> {
    let store = &builder.store;
    match (store.has_blob(layer.digest), has_tree) {
        (true, true) => Ok(()),
        (true, false) => trees::unpack(builder, work, store.open_blob(layer.digest)?, layer, diff_id),
        (false, true) => {
            // Unpacked from another blob: this one is kept so that the manifest stays what it is.
            let task = format!("copying blob {}", layer.digest.short());
            builder.report(Event::Began { task: task.clone(), bytes: Some(layer.size) });
            let mut blob = store.blob_writer(work)?;
            let copied = std::io::copy(&mut layout.open_blob(layer.digest)?, &mut blob);
            crate::error::Context::cannot(copied, "copy the blob", layer.digest)?;
            store.publish_blob(work, blob, Some(layer.digest))?;
            builder.report(Event::Ended { task });
            Ok(())
        }
        (false, false) => {
            let mut blob = store.blob_writer(work)?;
            let source = Tee { source: layout.open_blob(layer.digest)?, copy: &mut blob };
            trees::unpack(builder, work, source, layer, diff_id)?;
            store.publish_blob(work, blob, Some(layer.digest)).map(drop)
        }
    }
}
