//! Opening paths that may not lead out of a directory: by `openat2(2)`, or part by part where that is refused.
//!
//! Filters that know nothing of `openat2` answer `ENOSYS` or `EPERM`. Then [`walk`] does in our process what the kernel
//! does with `RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS`, by handles and with the same bounds. That it is refused is
//! remembered for the process; one in which it never was pays nothing.
//!
//! Allocates nothing for a `CStr`, for it also serves the sandbox's child.

mod walk;

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::path::Arg;

/// How often the kernel's answer "try again" is taken at its word: it gives it when anything on the machine was renamed
/// or mounted while a path with `..` was resolved. On a busy machine that may be always, for a long path.
const RACES: usize = 128;

/// Set once the call was refused.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// What becomes of symlinks in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// They are followed, inside the root.
    Followed,
    /// They are an error (`ELOOP`).
    Refused,
}

/// Opens what `path` leads to as if `root` were the root directory; magic links are refused with `ELOOP`.
pub(crate) fn open(
    root: BorrowedFd<'_>,
    path: impl Arg,
    flags: OFlags,
    mode: Mode,
    links: Links,
) -> Result<OwnedFd, Errno> {
    let mut resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    if links == Links::Refused {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    let flags = flags | OFlags::CLOEXEC;
    path.into_with_c_str(|path| {
        by_kernel(root, path, flags, mode, resolve)
            .unwrap_or_else(|| walk::walk(root, &[path.to_bytes()], flags, mode, links))
    })
}

/// Opens what `path` leads to for this process (from its root and its working directory), but by no magic link.
pub(crate) fn open_by_no_magic(path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let mode = Mode::empty();
    if let Some(answer) = by_kernel(CWD, path, flags, mode, ResolveFlags::NO_MAGICLINKS) {
        return answer;
    }
    let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, mode)?;
    if path.to_bytes().starts_with(b"/") {
        return walk::walk(root.as_fd(), &[path.to_bytes()], flags, mode, Links::Followed);
    }
    let mut buffer = [0; walk::MAX_PATH];
    let here = walk::working_directory(&mut buffer)?;
    walk::walk(root.as_fd(), &[here, path.to_bytes()], flags, mode, Links::Followed)
}

/// Opens `name` in `dir`, following nothing; fails with `EXDEV` if something is mounted there.
pub(crate) fn open_same_mount(dir: BorrowedFd<'_>, name: impl Arg, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    name.into_with_c_str(|name| {
        if let Some(answer) = by_kernel(dir, name, flags, Mode::empty(), ResolveFlags::NO_XDEV) {
            return answer;
        }
        let opened = rustix::fs::openat(dir, name, flags, Mode::empty())?;
        if is_mount_root(opened.as_fd())? { Err(Errno::XDEV) } else { Ok(opened) }
    })
}

/// Whether an open directory is the top of a mount.
fn is_mount_root(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let stat = rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// The kernel's answer, or `None` where the call is refused or never comes to an answer: a walk minds no renames.
fn by_kernel(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Option<Result<OwnedFd, Errno>> {
    if REFUSED.load(Ordering::Relaxed) {
        return None;
    }
    // It takes no empty path.
    let path = if path.is_empty() { c"." } else { path };
    for _ in 0..RACES {
        match rustix::fs::openat2(dir, path, flags, mode, resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error @ (Errno::NOSYS | Errno::PERM)) => {
                // `EPERM` may be about the file; a directory may always be had without any right to it.
                let handle = OFlags::PATH | OFlags::CLOEXEC;
                return match rustix::fs::openat2(dir, c".", handle, Mode::empty(), resolve) {
                    Err(Errno::NOSYS | Errno::PERM) => {
                        REFUSED.store(true, Ordering::Relaxed);
                        None
                    }
                    _ => Some(Err(error)),
                };
            }
            answer => return Some(answer),
        }
    }
    None
}

#[cfg(test)]
mod tests;
