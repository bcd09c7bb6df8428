//! Files to be read: the layers of an image, or what a container at rest is made of, merged without an upper.

use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::host::Users;
use crate::oci::Digest;
use crate::rootfs::{fold, mounted, plain, trees};
use crate::settings::Driver;
use crate::store::export::layer_trees;
use crate::store::{ContainerRecord, Work, containers::Base};
use crate::sys::mount::{self, Overlay};
use crate::sys::{mount_attr, random};
use crate::tree::{Marks, Root};

/// Opens the files of an image, by its manifest. Nothing can be written there. They have the owners that their ids have
/// in the namespace of `users`, where that is given.
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
    let lowers = layer_trees(store, &base.layers)?.iter().map(|tree| store.tree_fs(tree)).collect();
    merged(builder, work, lowers, users, ("image", &base.id.short()))
}

/// Opens the files of a container as they were when its upper was last empty, or with those in `upper`. Nothing can be
/// written there; what it is made of is leased, or locked, by the caller. For `users` see [`open_image`].
pub(crate) fn open_frozen(
    builder: &Builder<'_>,
    work: &Work,
    record: &ContainerRecord,
    upper: Option<PathBuf>,
    users: Option<&Users>,
) -> Result<Root> {
    if let Some(base) = &record.base {
        trees::ensure(builder, work, base)?;
    }
    let mut lowers: Vec<PathBuf> = upper.into_iter().collect();
    lowers.extend(fold::lowers_to_mount(builder, work, record)?);
    merged(builder, work, lowers, users, ("container", &record.name))
}

/// Directories laid over each other, the topmost first.
fn merged(
    builder: &Builder<'_>,
    work: &Work,
    mut lowers: Vec<PathBuf>,
    users: Option<&Users>,
    (what, name): (&str, &str),
) -> Result<Root> {
    let (verb, object) = (format!("open the {what}"), name);
    let mapped = users.filter(|users| users.shows().is_some());
    let refusal = |cause: std::io::Error| Users::refusal(&format!("the files of the {what} `{name}`"), cause);
    // The kernel mounts no single lower without an upper; one below that holds nothing makes two.
    lowers.push(builder.store.empty_dir());
    if lowers.len() == 1 {
        return Root::open_host(&lowers[0]).cannot(&verb, object);
    }
    if builder.settings.driver == Some(Driver::Vfs) || builder.store.form() == Marks::Names {
        let copy = work.dir().join(random::hex(8));
        let files = plain::merge(builder, &lowers, &copy)?;
        let Some(users) = mapped else { return Ok(files) };
        let shown = mount::clone_of(&copy).cannot(&verb, object)?;
        mount_attr::map_ids(&shown, users.namespace.as_fd()).map_err(|cause| refusal(cause.into()))?;
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
        return made.map(Root::from_fd).map_err(refusal);
    }
    match mount::overlay(&asked) {
        Err(error) if mounted::is_refusal(&error) => {
            plain::merge(builder, &lowers, &work.dir().join(random::hex(8)))
        }
        made => made.map(Root::from_fd).cannot(&verb, object),
    }
}
