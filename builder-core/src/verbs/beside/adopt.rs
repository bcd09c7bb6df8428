//! An image of a storage as one of the store: manifest and config are copied, the files of its layers are used where
//! they are.

use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::error::Result;
use crate::oci::{Digest, Manifest};
use crate::store::images::{ImageEntry, StoredImage};
use crate::store::layers::{Export, Packed};
use crate::store::{LayerRecord, Store, Work};
use crate::transport::Source;
use crate::transport::containers_storage::StorageSource;
use crate::transport::copy::read_config;
use crate::tree::Marks;

/// The image, leased as long as `work` lives; none if its layers have to be copied.
pub(super) fn adopt(
    builder: &Builder<'_>,
    work: &Work,
    source: &StorageSource,
) -> Result<Option<StoredImage>> {
    let store = &builder.store;
    let names = source.tags()?;
    if let Ok(mut image) = store.hold_image(work, &source.id().hex())
        && image.entry.id == source.id()
    {
        image.entry.names = names;
        return Ok(Some(image));
    }
    let image = look(source)?;
    let diff_ids = &image.config.rootfs.diff_ids;
    let fits = store.form() != Marks::Names && store.form() == builder.host.marks();
    let mut borrowed = Vec::new();
    for (place, diff_id) in diff_ids.iter().enumerate() {
        if let Some(tree) = store.layer_tree(&diff_ids[..=place]) {
            borrowed.push(tree);
            continue;
        }
        let Some(layer) = source.in_place(*diff_id).filter(|_| fits) else { return Ok(None) };
        let whole = Export {
            profile: String::new(),
            below: Vec::new(),
            diff_id: *diff_id,
            size: layer.size,
            owners: None,
            blobs: compressed(&image.manifest, place, *diff_id),
        };
        let record = LayerRecord { exports: vec![whole], split: Some(layer.split), ..LayerRecord::default() };
        let tree = store.borrow_tree(work, &layer.files, &record)?;
        store.note_layer(*diff_id, None, &tree)?;
        borrowed.push(tree);
    }
    store.lease(work, borrowed.iter().map(crate::store::TreeId::as_str))?;
    store.put_blob(work, &image.config_bytes)?;
    store.put_blob(work, &image.manifest_bytes)?;
    Ok(Some(image))
}

/// The image as it would be in the store: manifest and config, digests checked.
pub(super) fn look(source: &StorageSource) -> Result<StoredImage> {
    let raw = source.manifest()?;
    let manifest = Manifest::parse(&raw.bytes)?;
    let (config_bytes, config) = read_config(source, &manifest)?;
    let entry = ImageEntry::new(source.id(), raw.descriptor(), source.tags()?);
    Ok(StoredImage { entry, manifest, manifest_bytes: raw.bytes, config, config_bytes })
}

/// The form its manifest names of a layer, if that is another than the plain one.
fn compressed(manifest: &Manifest, place: usize, diff_id: Digest) -> Vec<Packed> {
    let named = manifest.layers.get(place).filter(|named| named.digest != diff_id);
    named.cloned().map(Packed::from).into_iter().collect()
}

/// The storage in which the files of layers are, if any of them are in one.
pub(super) fn lender(store: &Store, layers: &[Digest]) -> Option<PathBuf> {
    (1..=layers.len()).rev().find_map(|end| {
        let tree = store.layer_tree(&layers[..end])?;
        let files = std::fs::read_link(store.tree_fs(&tree)).ok()?;
        // ROOT/overlay/ID/diff
        files.ancestors().nth(3).map(Path::to_path_buf)
    })
}
