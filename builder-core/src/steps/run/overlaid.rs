//! Something that a command may change without the change being kept: a layer over a directory, a copy of a file.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::mount::OpenTreeFlags;

use crate::error::{Context, Result};
use crate::host::Users;
use crate::sandbox::Facts;
use crate::sys::mount::{self, Overlay};
use crate::sys::mount_attr;

/// Opens a directory of the host as a lower layer.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// The directory `lower` under a layer that takes the changes and is dropped with `scratch`. Attached nowhere.
///
/// What is below has the owners that its ids have in the namespace of `users`, where that is given.
pub(super) fn overlay(
    lower: BorrowedFd<'_>,
    scratch: &Path,
    facts: &Facts,
    users: Option<&Users>,
) -> io::Result<OwnedFd> {
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    // The new top directory is what the command sees of the old one.
    let stat = rustix::fs::fstat(lower)?;
    std::os::unix::fs::lchown(&upper, Some(stat.st_uid), Some(stat.st_gid))?;
    fs::set_permissions(&upper, PermissionsExt::from_mode(stat.st_mode & 0o7777))?;
    made(lower, (&upper, &work), false, facts, users)
}

/// As [`overlay`], with the directories `upperdir` and `workdir` of the caller's, where the changes stay: the kernel
/// writes them to the disk at the end, and leaves no mark by which other programs would take them for lost.
pub(super) fn overlay_kept(
    lower: BorrowedFd<'_>,
    changes: (&Path, &Path),
    facts: &Facts,
    users: Option<&Users>,
) -> io::Result<OwnedFd> {
    made(lower, changes, true, facts, users)
}

fn made(
    lower: BorrowedFd<'_>,
    changes: (&Path, &Path),
    synced: bool,
    facts: &Facts,
    users: Option<&Users>,
) -> io::Result<OwnedFd> {
    let lowers = [format!("/proc/self/fd/{}", lower.as_raw_fd()).into()];
    let asked = Overlay {
        // By number: it may be a directory that no path of ours leads to.
        lowers: &lowers,
        upper: Some(changes),
        userxattr: facts.rootless,
        label: None,
        probe: false,
        synced,
    };
    match users.and_then(Users::owners) {
        Some(shown) => mount::overlay_mapped(&asked, shown),
        None => mount::overlay(&asked),
    }
}

/// A mount of a copy of the regular file `source`, which lies in `scratch`. Attached nowhere.
pub(super) fn copy(source: OwnedFd, scratch: &Path) -> io::Result<OwnedFd> {
    fs::create_dir_all(scratch)?;
    let path = scratch.join("file");
    let mut copy = fs::File::create_new(&path)?;
    let stat = rustix::fs::fstat(&source)?;
    // Opened by path only so far; the file behind the handle is the one to be read.
    let mut file = fs::File::open(format!("/proc/self/fd/{}", source.as_raw_fd()))?;
    io::copy(&mut file, &mut copy)?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(&copy, Some(uid), Some(gid))?;
    copy.set_permissions(PermissionsExt::from_mode(stat.st_mode & 0o7777))?;
    clone(CWD, &path, false)
}

/// What was opened, as it is in the namespace of `users` where that shows other ids.
pub(super) fn shown(opened: OwnedFd, recursive: bool, users: Option<&Users>, show: &str) -> Result<OwnedFd> {
    let Some(namespace) = users.and_then(Users::shows) else { return Ok(opened) };
    let copy = clone(opened.as_fd(), Path::new(""), recursive).cannot("mount", show)?;
    mount_attr::map_ids(&copy, namespace)
        .map_err(|errno| Users::refusal(&format!("`{show}`"), io::Error::from(errno)))?;
    Ok(copy)
}

/// A detached copy of the mount of `path` below `dir`; an empty path is `dir` itself.
pub(super) fn clone(dir: BorrowedFd<'_>, path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(rustix::mount::open_tree(dir, path, flags)?)
}
