//! Files to be read: the layers of an image, or what a container at rest is made of, merged without an upper.

use std::path::PathBuf;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::rootfs::{fold, mounted, plain, trees};
use crate::settings::Driver;
use crate::store::export::layer_trees;
use crate::store::{ContainerRecord, Work, containers::Base};
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
    let lowers = layer_trees(store, &base.layers)?.iter().map(|tree| store.tree_fs(tree)).collect();
    merged(builder, work, lowers, ("open the image", &base.id.short()))
}

/// Opens the files of a container as they were when its upper was last empty. Nothing can be written there; what it is
/// made of is leased by the caller.
pub(crate) fn open_frozen(builder: &Builder<'_>, work: &Work, record: &ContainerRecord) -> Result<Root> {
    if let Some(base) = &record.base {
        trees::ensure(builder, work, base)?;
    }
    let lowers = fold::lowers_to_mount(builder, work, record)?;
    merged(builder, work, lowers, ("open the container", &record.name))
}

/// Directories laid over each other, the topmost first.
fn merged(
    builder: &Builder<'_>,
    work: &Work,
    mut lowers: Vec<PathBuf>,
    (verb, object): (&str, &str),
) -> Result<Root> {
    // The kernel mounts no single lower without an upper; one below that holds nothing makes two.
    lowers.push(builder.store.empty_dir());
    if lowers.len() == 1 {
        return Root::open_host(&lowers[0]).cannot(verb, object);
    }
    if builder.settings.driver == Some(Driver::Vfs) || builder.store.form() == Marks::Names {
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
        made => made.map(Root::from_fd).cannot(verb, object),
    }
}
