//! `mount_setattr`: restricting or linking mounts by handle, with the older way for kernels before 5.12.
//!
//! The older way works on attached mounts only, so there a mount is attached in a mount namespace of our own, changed,
//! and cloned. What serves the sandbox's child, which has such a namespace, allocates nothing.

mod below;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;
use rustix::fs::{CWD, FileType, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags};

use super::mount;

/// Set once the call was refused.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Adds `attributes` to the detached mount `mount`, and with `tree` to those below it; returns the mount, restricted.
pub(crate) fn restrict(mount: OwnedFd, attributes: MountAttrFlags, tree: bool) -> Result<OwnedFd, Errno> {
    match change(mount.as_fd(), u64::from(attributes.bits()), 0, tree) {
        Ok(()) => Ok(mount),
        Err(refusal) if is_refusal(refusal) => elsewhere(|| restrict_by_path(&mount, attributes, tree)),
        Err(error) => Err(error),
    }
}

/// As [`restrict`], for a process that has its mount namespace to itself.
pub(crate) fn restrict_here(
    mount: OwnedFd,
    attributes: MountAttrFlags,
    tree: bool,
) -> Result<OwnedFd, Errno> {
    match change(mount.as_fd(), u64::from(attributes.bits()), 0, tree) {
        Ok(()) => Ok(mount),
        Err(refusal) if is_refusal(refusal) => restrict_by_path(&mount, attributes, tree),
        Err(error) => Err(error),
    }
}

/// How mounts made on one side of a copy show on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// Not at all.
    Private,
    /// From the original to the copy.
    Slave,
    /// Both ways.
    Shared,
    /// Not at all, and it cannot be copied again.
    Unbindable,
}

/// Sets the propagation of the detached mount, and with `tree` of those below it; returns the mount, changed.
///
/// Where `mount_setattr` is refused an unbindable mount cannot be had: it is private there, which differs only for
/// whoever would copy it.
pub(crate) fn propagate(mount: OwnedFd, how: Propagation, tree: bool) -> Result<OwnedFd, Errno> {
    let (flag, older) = match how {
        Propagation::Private => (libc::MS_PRIVATE, MountPropagationFlags::PRIVATE),
        Propagation::Slave => (libc::MS_SLAVE, MountPropagationFlags::DOWNSTREAM),
        Propagation::Shared => (libc::MS_SHARED, MountPropagationFlags::SHARED),
        Propagation::Unbindable => (libc::MS_UNBINDABLE, MountPropagationFlags::PRIVATE),
    };
    let older = if tree { older | MountPropagationFlags::REC } else { older };
    match change(mount.as_fd(), 0, flag, tree) {
        Ok(()) => Ok(mount),
        Err(refusal) if is_refusal(refusal) => {
            elsewhere(|| on_scratch(&mount, |place| rustix::mount::mount_change(place, older)))
        }
        Err(error) => Err(error),
    }
}

fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::NOSYS | Errno::PERM)
}

fn elsewhere(work: impl FnOnce() -> Result<OwnedFd, Errno> + Send) -> Result<OwnedFd, Errno> {
    mount::in_own_namespace(|| Ok(work()?)).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn restrict_by_path(mount: &OwnedFd, attributes: MountAttrFlags, tree: bool) -> Result<OwnedFd, Errno> {
    on_scratch(mount, |place| {
        let top = rustix::mount::open_tree(CWD, place, OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
        remount(top.as_fd(), attributes)?;
        if tree { below::each(top.as_fd(), |mount| remount(mount, attributes)) } else { Ok(()) }
    })
}

/// Attaches the mount where it is in nobody's way, has it changed there, and returns a clone attached nowhere.
fn on_scratch(
    mount: &OwnedFd,
    change: impl FnOnce(&std::ffi::CStr) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let is_dir = FileType::from_raw_mode(rustix::fs::fstat(mount)?.st_mode) == FileType::Directory;
    let place = if is_dir { c"/dev" } else { c"/dev/null" };
    let flags = rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", CWD, place, flags)?;
    change(place)?;
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let changed = rustix::mount::open_tree(CWD, place, flags)?;
    rustix::mount::unmount(place, UnmountFlags::DETACH)?;
    Ok(changed)
}

/// Adds to what an attached mount is restricted to already, which an ordinary user may not take away.
fn remount(mount: BorrowedFd<'_>, attributes: MountAttrFlags) -> Result<(), Errno> {
    let mut flags = MountFlags::BIND | mount::flags_of(attributes);
    let now = rustix::fs::fstatvfs(mount)?.f_flag;
    for (has, flag) in [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if now.contains(has) {
            flags |= flag;
        }
    }
    // Digits of a number and a prefix: far less than this.
    let mut path = [0; 32];
    let path = below::path_of(mount, &mut path)?;
    rustix::mount::mount_remount(path, flags, c"")
}

/// Shows the files of a detached mount with the owners they have in another user namespace. There is no older way.
pub(crate) fn map_ids(mount: &impl AsFd, namespace: BorrowedFd<'_>) -> Result<(), Errno> {
    let userns_fd = u64::try_from(namespace.as_raw_fd()).map_err(|_| Errno::BADF)?;
    let set = libc::MOUNT_ATTR_IDMAP;
    ask(mount.as_fd(), &libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd }, false)
}

fn change(mount: BorrowedFd<'_>, set: u64, propagation: u64, tree: bool) -> Result<(), Errno> {
    if REFUSED.load(Ordering::Relaxed) {
        return Err(Errno::NOSYS);
    }
    ask(mount, &libc::mount_attr { attr_set: set, attr_clr: 0, propagation, userns_fd: 0 }, tree)
}

fn ask(mount: BorrowedFd<'_>, request: &libc::mount_attr, tree: bool) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if tree { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: an empty C string, and a structure of the size given; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(request),
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    // SAFETY: the address of this thread's errno, which the call above has set.
    let errno = Errno::from_raw_os_error(unsafe { *libc::__errno_location() });
    if errno == Errno::NOSYS {
        REFUSED.store(true, Ordering::Relaxed);
    }
    Err(errno)
}
