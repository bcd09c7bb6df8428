//! The files of one directory tree in another: as second names of the same files, as files that share their extents,
//! or copied.
//!
//! Only for trees that nobody writes to, neither through the one name nor the other.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::sys::mount;
use crate::tree::{Options, Root, copy_tree, twin, twin_of_extents};

/// Gives the files of `tree` second names in the empty directory `into`, where directories are made anew; or, where
/// they can have none there, makes files that share their extents. `false` if neither can be; then it is empty still.
pub(super) fn share(tree: &Path, into: &Path, options: Options) -> Result<bool> {
    // As they are, in case a view cannot be had: a mount of one's own needs the right to mount.
    for view in [without_mounts, as_they_are] {
        let Ok((from, to)) = view(tree, into) else { continue };
        if twin(&from, &to).cannot("link the files of", tree.display())? {
            return Ok(true);
        }
        remove(into);
        fresh(into)?;
    }
    let Ok((from, to)) = as_they_are(tree, into) else { return Ok(false) };
    twin_of_extents(&from, &to, options)
}

/// As [`share`], and copies what can be shared in neither way.
pub(super) fn fill(tree: &Path, into: &Path, options: Options) -> Result<()> {
    if share(tree, into, options)? {
        return Ok(());
    }
    let from = Root::open_host(tree).cannot("open", tree.display())?;
    let to = Root::open_host(into).cannot("open", into.display())?;
    copy_tree(&from, &to, options)
}

fn as_they_are(one: &Path, other: &Path) -> io::Result<(Root, Root)> {
    Ok((Root::open_host(one)?, Root::open_host(other)?))
}

/// Two directories of one file system as that has them, without what is mounted there.
fn without_mounts(one: &Path, other: &Path) -> io::Result<(Root, Root)> {
    let (one, other) = (fs::canonicalize(one)?, fs::canonicalize(other)?);
    let same = one.components().zip(other.components()).take_while(|(one, other)| one == other);
    let above: PathBuf = same.map(|(part, _)| part).collect();
    let view = Root::from_fd(mount::clone_of(&above)?);
    let open = |path: &Path| {
        let found = view.subroot(path.strip_prefix(&above).map_err(io::Error::other)?)?;
        let (there, seen) = (fs::metadata(path)?, rustix::fs::fstat(found.fd())?);
        match (there.dev(), there.ino()) == (seen.st_dev, seen.st_ino) {
            true => Ok(found),
            // On another file system, mounted in between.
            false => Err(io::Error::from(io::ErrorKind::CrossesDevices)),
        }
    };
    Ok((open(&one)?, open(&other)?))
}

/// A new directory for a layer's files.
pub(super) fn fresh(dir: &Path) -> Result<Root> {
    fs::create_dir(dir).cannot("make", dir.display())?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).cannot("make", dir.display())?;
    Root::open_host(dir).cannot("open", dir.display())
}

/// Removes a file or directory as far as that can be.
pub(super) fn remove(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    let _ = Root::open_host(parent).and_then(|parent| parent.remove_all(name));
}
