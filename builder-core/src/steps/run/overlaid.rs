//! Something that a command may change without the change being kept: a layer over a directory, a copy of a file.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::sandbox::Facts;

/// Opens a directory of the host as a lower layer.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// The directory `lower` under a layer that takes the changes and is dropped with `scratch`. Attached nowhere.
pub(super) fn overlay(lower: BorrowedFd<'_>, scratch: &Path, facts: &Facts) -> io::Result<OwnedFd> {
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let (upper_fd, work) = (open(&upper)?, open(&work)?);
    // The new top directory is what the command sees of the old one.
    like(lower, upper_fd.as_fd(), &upper)?;
    // By number, so that no character of a path needs to be escaped.
    let name = |fd: BorrowedFd<'_>| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "lowerdir", name(lower))?;
    rustix::mount::fsconfig_set_string(&context, "upperdir", name(upper_fd.as_fd()))?;
    rustix::mount::fsconfig_set_string(&context, "workdir", name(work.as_fd()))?;
    if facts.rootless {
        rustix::mount::fsconfig_set_flag(&context, "userxattr")?;
    }
    rustix::mount::fsconfig_create(&context)?;
    Ok(rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
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

/// A detached copy of the mount of `path` below `dir`; an empty path is `dir` itself.
pub(super) fn clone(dir: BorrowedFd<'_>, path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(rustix::mount::open_tree(dir, path, flags)?)
}

fn like(model: BorrowedFd<'_>, made: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let stat = rustix::fs::fstat(model)?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(made, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    fs::set_permissions(path, PermissionsExt::from_mode(stat.st_mode & 0o7777))
}
