//! An image's files, to be read: its layers merged, without an upper.

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::rootfs::{mounted, plain, trees};
use crate::settings::Driver;
use crate::store::export::layer_trees;
use crate::store::{Work, containers::Base};
use crate::sys::mount::{self, Overlay};
use crate::sys::random;
use crate::tree::{Marks, Root};

/// Opens the files of an image, by its manifest. Nothing can be written there.
pub(crate) fn open_image(builder: &Builder<'_>, work: &Work, manifest: Digest) -> Result<Root> {
    let store = &builder.store;
    let (description, config) = store.read_image(manifest)?;
    let layers = config.rootfs.diff_ids;
    let base = Base { name: String::new(), id: description.config.digest, manifest, layers };
    trees::ensure(builder, work, &base)?;
    let mut lowers: Vec<_> =
        layer_trees(store, &base.layers)?.iter().map(|tree| store.tree_fs(tree)).collect();
    // The kernel mounts no single lower without an upper; one below that holds nothing makes two.
    lowers.push(store.empty_dir());
    if lowers.len() == 1 {
        return Root::open_host(&lowers[0]).cannot("open the image", base.id.short());
    }
    if builder.settings.driver == Some(Driver::Vfs) || store.form() == Marks::Names {
        return plain::merge(builder, &lowers, &work.dir().join(random::hex(8)));
    }
    let asked = Overlay {
        lowers: &lowers,
        upper: None,
        userxattr: builder.host.is_rootless(),
        label: None,
        probe: false,
    };
    match mount::overlay(&asked) {
        Err(error) if mounted::is_refusal(&error) => {
            plain::merge(builder, &lowers, &work.dir().join(random::hex(8)))
        }
        made => made.map(Root::from_fd).cannot("open the image", base.id.short()),
    }
}
