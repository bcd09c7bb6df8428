//! `mount_setattr`: restricting or linking mounts by handle, with the older way for kernels before 5.12.
//!
//! Allocates nothing, for it also serves the sandbox's child.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

/// Adds `attributes` to the mount `mount`, and with `tree` to those below it.
///
/// A kernel without the call restricts the top mount only, and only once it is attached; there `ENOSYS` is the answer.
pub(crate) fn restrict(mount: BorrowedFd<'_>, attributes: MountAttrFlags, tree: bool) -> Result<(), Errno> {
    change(mount, u64::from(attributes.bits()), 0, tree)
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

/// Sets the propagation of the mount, and with `tree` of those below it.
pub(crate) fn propagate(mount: BorrowedFd<'_>, how: Propagation, tree: bool) -> Result<(), Errno> {
    let how = match how {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::Slave => libc::MS_SLAVE,
        Propagation::Shared => libc::MS_SHARED,
        Propagation::Unbindable => libc::MS_UNBINDABLE,
    };
    change(mount, 0, how, tree)
}

fn change(mount: BorrowedFd<'_>, set: u64, propagation: u64, tree: bool) -> Result<(), Errno> {
    let request = libc::mount_attr { attr_set: set, attr_clr: 0, propagation, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if tree { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: an empty C string, and a structure of the size given; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const request,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    // SAFETY: the address of this thread's errno, which the call above has set.
    Err(Errno::from_raw_os_error(unsafe { *libc::__errno_location() }))
}
