//! From blobs to trees: the layers of an image, unpacked when first needed and never again.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;

use crate::builder::Builder;
use crate::error::{Context, Error, Result};
use crate::event::{Event, Meter, Metered};
use crate::layer::{self, Checked};
use crate::oci::{Descriptor, Digest};
use crate::store::containers::Base;
use crate::store::layers::Export;
use crate::store::{LayerRecord, Store, Work};
use crate::sys::lock::Claim;
use crate::sys::random;
use crate::tree::{Devices, Options, Root};

/// Makes sure that every layer of an image is there as a tree.
pub(crate) fn ensure(builder: &Builder<'_>, work: &Work, base: &Base) -> Result<()> {
    let diff_ids = &base.layers;
    if (1..=diff_ids.len()).all(|end| builder.store.layer_tree(&diff_ids[..end]).is_some()) {
        return Ok(());
    }
    let (manifest, _) = builder.store.read_image(base.manifest)?;
    for end in 1..=diff_ids.len() {
        if builder.store.layer_tree(&diff_ids[..end]).is_some() {
            continue;
        }
        let descriptor = manifest.layers.get(end - 1).ok_or_else(|| {
            Error::corrupt("cannot unpack the image")
                .because("its config names more layers than its manifest")
        })?;
        let blob = builder.store.open_blob(descriptor.digest).map_err(|error| {
            error.hint("the layer is neither unpacked nor kept as a blob: pull or build the image again")
        })?;
        unpack_kept(builder, work, blob, descriptor, diff_ids[end - 1])?;
    }
    Ok(())
}

/// Unpacks one layer's blob into a tree. Publishes nothing unless both digests are what they should be: `blob` fails at
/// its end if it is not the one that `descriptor` names.
///
/// One process works, others that want the same layer wait for it.
pub(crate) fn unpack(
    builder: &Builder<'_>,
    work: &Work,
    blob: impl Read + Send,
    descriptor: &Descriptor,
    diff_id: Digest,
) -> Result<()> {
    claimed(&builder.store, diff_id, || make_tree(builder, work, blob, descriptor, diff_id))
}

/// As [`unpack`], for a blob that is in the store: nobody else tells how far it has come.
pub(crate) fn unpack_kept(
    builder: &Builder<'_>,
    work: &Work,
    blob: impl Read + Send,
    descriptor: &Descriptor,
    diff_id: Digest,
) -> Result<()> {
    claimed(&builder.store, diff_id, || {
        let task = format!("unpacking layer {}", descriptor.digest.short());
        let meter = Meter::begin(builder.reporter(), task, Some(descriptor.size));
        let blob = Checked::new(Metered::new(blob, &meter), descriptor);
        make_tree(builder, work, blob, descriptor, diff_id)?;
        meter.end(None);
        Ok(())
    })
}

/// Has `unpack` make the tree of a layer, unless another process has made it meanwhile.
fn claimed(store: &Store, diff_id: Digest, unpack: impl FnOnce() -> Result<()>) -> Result<()> {
    let claim = store.locks().join(format!("layer-{}", diff_id.hex()));
    let _one = Claim::wait(&claim).cannot("lock", claim.display())?;
    if store.layer_tree(&[diff_id]).is_some() {
        return Ok(());
    }
    unpack()
}

fn make_tree(
    builder: &Builder<'_>,
    work: &Work,
    mut blob: impl Read + Send,
    descriptor: &Descriptor,
    diff_id: Digest,
) -> Result<()> {
    let store = &builder.store;
    let dir = work.dir().join(random::hex(8));
    fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
    let top = dir.join("fs");
    fs::create_dir(&top).cannot("make", top.display())?;
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&top, open).cannot("make", top.display())?;
    let root = Root::open_host(&top).cannot("open", top.display())?;
    let sentence = || format!("cannot unpack the layer `{}`", descriptor.digest);
    // A user namespace may not make device nodes, whoever its root is.
    let devices = if builder.host.is_rootless() { Devices::Skip } else { Devices::Make };
    let options = Options { marks: store.form(), devices, keep_times: true };
    let unpacked = layer::unpack(&mut blob, &root, options)
        .map_err(|error| Error::new(error.kind(), sentence()).because(error))?;
    let whole = Export {
        // Someone else's writer made this tar: it is kept as a blob, not made again from the tree.
        profile: String::new(),
        below: Vec::new(),
        diff_id: Digest::from_bytes(unpacked.digest),
        size: unpacked.size,
        owners: None,
        blobs: vec![descriptor.clone().into()],
    };
    // To its end, where it is checked, whatever the decoder left over.
    io::copy(&mut blob, &mut io::sink()).map_err(|cause| Error::corrupt(sentence()).because(cause))?;
    if whole.diff_id != diff_id {
        return Err(Error::corrupt(sentence())
            .because(format!("it unpacks to {}, and the image's config says {diff_id}", whole.diff_id)));
    }
    if unpacked.stats.devices_skipped > 0 {
        builder.report(Event::warning(format!(
            "left out {} device nodes of layer {}: an ordinary user cannot make them",
            unpacked.stats.devices_skipped,
            descriptor.digest.short()
        )));
    }
    let tree =
        store.publish_tree(work, &dir, &LayerRecord { exports: vec![whole], ..LayerRecord::default() })?;
    store.note_layer(diff_id, None, &tree)
}

#[cfg(test)]
mod tests;
