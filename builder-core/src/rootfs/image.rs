//! Files to be read: the layers of an image, or what a container at rest is made of, merged without an upper.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

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

/// The layers of an image, by its manifest, the topmost first; they are unpacked.
fn layers_of_image(builder: &Builder<'_>, work: &Work, manifest: Digest) -> Result<(Digest, Vec<PathBuf>)> {
    let store = &builder.store;
    let (description, config) = store.read_image(manifest)?;
    let layers = config.rootfs.diff_ids;
    let base = Base { name: String::new(), id: description.config.digest, manifest, layers };
    trees::ensure(builder, work, &base)?;
    let trees = layer_trees(store, &base.layers)?;
    Ok((base.id, mounted::each_once(trees.iter().map(|tree| store.tree_fs(tree)).collect())))
}

/// The layers of a container, the topmost first, with what is in `upper` above them if that is given.
fn layers_of_container(
    builder: &Builder<'_>,
    work: &Work,
    record: &ContainerRecord,
    upper: Option<PathBuf>,
) -> Result<Vec<PathBuf>> {
    if let Some(base) = &record.base {
        trees::ensure(builder, work, base)?;
    }
    let mut lowers: Vec<PathBuf> = upper.into_iter().collect();
    lowers.extend(fold::lowers_to_mount(builder, work, record)?);
    Ok(lowers)
}

/// Opens the files of an image, by its manifest. Nothing can be written there. They have the owners that their ids have
/// in the namespace of `users`, where that is given.
pub(crate) fn open_image(
    builder: &Builder<'_>,
    work: &Work,
    manifest: Digest,
    users: Option<&Users>,
) -> Result<Root> {
    let (id, lowers) = layers_of_image(builder, work, manifest)?;
    merged(builder, work, lowers, users, ("image", &id.short()))
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
    let lowers = layers_of_container(builder, work, record, upper)?;
    merged(builder, work, lowers, users, ("container", &record.name))
}

/// A directory of an image as a mount of its own, under a layer in `scratch` that takes the changes; none if the path
/// leads to no directory, or there is no overlay here.
pub(crate) fn image_part(
    builder: &Builder<'_>,
    work: &Work,
    manifest: Digest,
    part: Part<'_>,
) -> Result<Option<OwnedFd>> {
    let (id, lowers) = layers_of_image(builder, work, manifest)?;
    part.open(builder, lowers).cannot("open the image", id.short())
}

/// As [`image_part`], of a container as [`open_frozen`] opens it.
pub(crate) fn frozen_part(
    builder: &Builder<'_>,
    work: &Work,
    record: &ContainerRecord,
    upper: Option<PathBuf>,
    part: Part<'_>,
) -> Result<Option<OwnedFd>> {
    let lowers = layers_of_container(builder, work, record, upper)?;
    part.open(builder, lowers).cannot("open the container", &record.name)
}

/// A part of some files, to be mounted by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    /// The directory, in the files.
    pub path: &'a Path,
    /// Whether a link at its end is not followed.
    pub no_follow: bool,
    /// A directory for changes, which the caller removes.
    pub scratch: &'a Path,
    /// For whom it is mounted; see [`open_image`].
    pub users: Option<&'a Users>,
}

impl Part<'_> {
    fn open(self, builder: &Builder<'_>, mut lowers: Vec<PathBuf>) -> io::Result<Option<OwnedFd>> {
        if builder.settings.driver == Some(Driver::Vfs) || builder.store.form() == Marks::Names {
            return Ok(None);
        }
        if lowers.is_empty() {
            lowers.push(builder.store.empty_dir());
        }
        let (upper, work) = (self.scratch.join("upper"), self.scratch.join("work"));
        fs::create_dir_all(&upper)?;
        fs::create_dir_all(&work)?;
        // The top directory of the files, should that be the part.
        let top = fs::metadata(&lowers[0])?;
        std::os::unix::fs::lchown(&upper, Some(top.uid()), Some(top.gid()))?;
        fs::set_permissions(&upper, fs::Permissions::from_mode(top.mode() & 0o7777))?;
        let asked = Overlay {
            lowers: &lowers,
            upper: Some((&upper, &work)),
            userxattr: builder.host.is_rootless(),
            label: None,
            probe: false,
            synced: false,
        };
        let flags = OFlags::PATH
            | OFlags::DIRECTORY
            | if self.no_follow { OFlags::NOFOLLOW } else { OFlags::empty() };
        let open = |made: OwnedFd| Root::from_fd(made).open(self.path, flags, Mode::empty());
        match mount::overlay_part(&asked, self.users.and_then(Users::owners), open) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
                    || mounted::is_refusal(&error) =>
            {
                Ok(None)
            }
            made => made.map(Some),
        }
    }
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
    let mapped = users.and_then(Users::owners);
    let refusal = |cause: io::Error| Users::refusal(&format!("the files of the {what} `{name}`"), cause);
    // The kernel mounts no single lower without an upper; one below that holds nothing makes two.
    lowers.push(builder.store.empty_dir());
    let lowers = mounted::each_once(lowers);
    if lowers.len() == 1 {
        return Root::open_host(&lowers[0]).cannot(&verb, object);
    }
    if builder.settings.driver == Some(Driver::Vfs) || builder.store.form() == Marks::Names {
        let copy = work.dir().join(random::hex(8));
        let files = plain::merge(builder, &lowers, &copy)?;
        let Some(owners) = mapped else { return Ok(files) };
        let shown = mount::clone_of(&copy).cannot(&verb, object)?;
        mount_attr::map_ids(&shown, owners.namespace).map_err(|cause| refusal(cause.into()))?;
        return Ok(Root::from_fd(shown));
    }
    let asked = Overlay {
        lowers: &lowers,
        upper: None,
        userxattr: builder.host.is_rootless(),
        label: None,
        probe: false,
        synced: false,
    };
    if let Some(owners) = mapped {
        return mount::overlay_mapped(&asked, owners).map(Root::from_fd).map_err(refusal);
    }
    match mount::overlay(&asked) {
        Err(error) if mounted::is_refusal(&error) => {
            plain::merge(builder, &lowers, &work.dir().join(random::hex(8)))
        }
        made => made.map(Root::from_fd).cannot(&verb, object),
    }
}
