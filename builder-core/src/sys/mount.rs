//! Mounts by handle: overlay from `fsopen` to `fsmount`, clones of what is mounted, attaching and taking down.
//!
//! A mount made here is detached: nothing sees it, and it is gone when its handle closes, however the process ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// The kernel takes option values of at most this many bytes (with a final NUL) from `fsconfig`.
const MAX_VALUE: usize = 255;

/// What one overlay mount is made of.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    /// Read-only layers, the topmost first; at least one.
    pub lowers: &'a [PathBuf],
    /// Where changes go, and overlay's scratch directory on the same file system; read-only without.
    pub upper: Option<(&'a Path, &'a Path)>,
    /// Whether marks are `user.overlay.*`, as a user namespace must have them.
    pub userxattr: bool,
    /// Refuse with `EBUSY` if another mount has the upper. Changes marks in the upper, so only for asking.
    pub probe: bool,
}

/// Mounts an overlay, detached.
///
/// `index`, `metacopy`, `redirect_dir` and `xino` are off whatever the kernel's defaults are: a frozen upper must mean
/// the same on every machine. `volatile`, because the store syncs its trees itself, once; without it the kernel would
/// sync the whole file system whenever such a mount goes away.
pub(crate) fn overlay(overlay: &Overlay<'_>) -> io::Result<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let context = context.as_fd();
    // Handles of directories with long paths must live until the mount is made.
    let mut handles = Vec::new();
    fsconfig_set_string(context, "source", "kiln")?;
    for lower in overlay.lowers {
        set_path(context, "lowerdir+", lower, &mut handles)?;
    }
    if let Some((upper, work)) = overlay.upper {
        set_path(context, "upperdir", upper, &mut handles)?;
        set_path(context, "workdir", work, &mut handles)?;
        fsconfig_set_flag(context, "volatile")?;
    }
    fsconfig_set_string(context, "index", if overlay.probe { "on" } else { "off" })?;
    fsconfig_set_string(context, "xino", "off")?;
    if overlay.userxattr {
        // With it the kernel keeps `metacopy` and `redirect_dir` off by itself, and refuses to hear of them.
        fsconfig_set_flag(context, "userxattr")?;
    } else {
        fsconfig_set_string(context, "metacopy", "off")?;
        fsconfig_set_string(context, "redirect_dir", "off")?;
    }
    // Known since 6.6; the mount is the same without.
    let _ = fsconfig_set_string(context, "uuid", "null");
    fsconfig_create(context)?;
    Ok(fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

fn set_path(
    context: BorrowedFd<'_>,
    option: &str,
    path: &Path,
    handles: &mut Vec<OwnedFd>,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    if path.as_os_str().len() <= MAX_VALUE {
        return Ok(fsconfig_set_string(context, option, path)?);
    }
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    fsconfig_set_string(context, option, format!("/proc/self/fd/{}", handle.as_raw_fd()))?;
    handles.push(handle);
    Ok(())
}

/// A detached second mount of what is mounted at `path`, sharing its files.
pub(crate) fn clone_of(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    Ok(open_tree(rustix::fs::CWD, path, flags)?)
}

/// Attaches a detached mount at a directory.
pub(crate) fn attach(mount: &OwnedFd, path: &Path) -> io::Result<()> {
    Ok(move_mount(mount, "", rustix::fs::CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Takes down what is mounted at `path`; fails with `EBUSY` where someone is inside.
pub(crate) fn detach(path: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(path, UnmountFlags::NOFOLLOW)?)
}

/// Takes down what is mounted at `path` for new callers at once, for those inside when they leave.
pub(crate) fn detach_lazily(path: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(path, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)?)
}

/// Whether something is mounted at `path` in this mount namespace.
pub(crate) fn is_mount_point(path: &Path) -> io::Result<bool> {
    use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match rustix::fs::statx(rustix::fs::CWD, path, flags, StatxFlags::empty()) {
        Ok(stat) => Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
