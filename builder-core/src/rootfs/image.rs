//! An image's files, to be read: its layers merged, without an upper.

use std::os::fd::AsFd;

use crate::builder::Builder;
use crate::error::{Context, Error, Result};
use crate::host::Users;
use crate::oci::Digest;
use crate::rootfs::{mounted, plain, trees};
use crate::settings::Driver;
use crate::store::export::layer_trees;
use crate::store::{Work, containers::Base};
use crate::sys::mount::{self, Overlay};
use crate::sys::mount_attr;
use crate::sys::random;
use crate::tree::{Marks, Root};

/// Opens the files of an image, by its manifest. Nothing can be written there. Their owners are as `users` shows them,
/// where that is given.
pub(crate) fn open_image(
    builder: &Builder<'_>,
    work: &Work,
    manifest: Digest,
    users: Option<&Users>,
) -> Result<Root> {
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
    let mapped = users.filter(|users| users.shows().is_some());
    if builder.settings.driver == Some(Driver::Vfs) || store.form() == Marks::Names {
        let copy = work.dir().join(random::hex(8));
        let files = plain::merge(builder, &lowers, &copy)?;
        let Some(users) = mapped else { return Ok(files) };
        let shown = mount::clone_of(&copy).cannot("open the image", base.id.short())?;
        mount_attr::map_ids(&shown, users.namespace.as_fd()).map_err(|cause| refusal(&base, cause.into()))?;
        return Ok(Root::from_fd(shown));
    }
    let asked = Overlay {
        lowers: &lowers,
        upper: None,
        userxattr: builder.host.is_rootless(),
        label: None,
        probe: false,
    };
    if let Some(users) = mapped {
        let made = mount::overlay_mapped(&asked, users.namespace.as_fd(), users.maps.outside((0, 0)));
        return made.map(Root::from_fd).map_err(|cause| refusal(&base, cause));
    }
    match mount::overlay(&asked) {
        Err(error) if mounted::is_refusal(&error) => {
            plain::merge(builder, &lowers, &work.dir().join(random::hex(8)))
        }
        made => made.map(Root::from_fd).cannot("open the image", base.id.short()),
    }
}

/// Why the files of an image cannot be shown with other owners.
fn refusal(image: &Base, cause: std::io::Error) -> Error {
    Users::refusal(&format!("the files of the image `{}`", image.id.short()), cause)
}
