//! Extended attributes of a name in an open directory, nothing followed.
//!
//! Since Linux 6.13 the kernel has `getxattrat(2)` and its kin; before that the same is asked through
//! `/proc/self/fd/<dir>/<name>`. Attributes of an open file need none of this: `rustix` has those calls.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;
use rustix::io::Errno;

// The same numbers on every architecture that takes the generic table, x86-64 among them.
const SETXATTRAT: libc::c_long = 463;
const GETXATTRAT: libc::c_long = 464;
const LISTXATTRAT: libc::c_long = 465;

/// The kernel's own limit for a list of names and for one value.
const LIMIT: usize = 64 * 1024;

/// Set once the kernel, or a filter in front of it, has said that it does not know the calls.
static MISSING: AtomicBool = AtomicBool::new(false);

/// `struct xattr_args` of `linux/xattr.h`.
#[repr(C)]
struct Args {
    value: u64,
    size: u32,
    flags: u32,
}

/// Puts the names of all attributes, each ended by a NUL, in `names`. A file system without attributes has none.
pub(crate) fn list_at(dir: BorrowedFd<'_>, name: &CStr, names: &mut Vec<u8>) -> io::Result<()> {
    let answer = fill(names, |buffer| {
        if !MISSING.load(Ordering::Relaxed) {
            // SAFETY: `name` ends with a NUL, and the kernel writes at most `buffer.len()` bytes to `buffer`, which
            // is ours alone during the call.
            let answer = unsafe {
                libc::syscall(
                    LISTXATTRAT,
                    dir.as_raw_fd(),
                    name.as_ptr(),
                    libc::AT_SYMLINK_NOFOLLOW,
                    buffer.as_mut_ptr(),
                    buffer.len(),
                )
            };
            if let Some(answer) = known(answer) {
                return answer;
            }
        }
        rustix::fs::llistxattr(through_proc(dir, name), buffer)
    });
    match answer {
        Err(Errno::OPNOTSUPP) => {
            names.clear();
            Ok(())
        }
        answer => Ok(answer?),
    }
}

/// Puts the attribute `key` in `value`; `false` if there is none.
pub(crate) fn get_at(dir: BorrowedFd<'_>, name: &CStr, key: &CStr, value: &mut Vec<u8>) -> io::Result<bool> {
    let answer = fill(value, |buffer| {
        if !MISSING.load(Ordering::Relaxed) {
            let mut args = Args {
                value: buffer.as_mut_ptr().expose_provenance() as u64,
                size: length(buffer),
                flags: 0,
            };
            // SAFETY: both strings end with a NUL; `args` is as large as said and names a buffer of `args.size` bytes
            // that is ours alone during the call.
            let answer = unsafe {
                libc::syscall(
                    GETXATTRAT,
                    dir.as_raw_fd(),
                    name.as_ptr(),
                    libc::AT_SYMLINK_NOFOLLOW,
                    key.as_ptr(),
                    &raw mut args,
                    size_of::<Args>(),
                )
            };
            if let Some(answer) = known(answer) {
                return answer;
            }
        }
        rustix::fs::lgetxattr(through_proc(dir, name), key, buffer)
    });
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => {
            value.clear();
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Sets the attribute `key`.
pub(crate) fn set_at(dir: BorrowedFd<'_>, name: &CStr, key: &CStr, value: &[u8]) -> io::Result<()> {
    if !MISSING.load(Ordering::Relaxed) {
        let args = Args { value: value.as_ptr().expose_provenance() as u64, size: length(value), flags: 0 };
        // SAFETY: both strings end with a NUL; `args` is as large as said and names `args.size` bytes that the kernel
        // only reads.
        let answer = unsafe {
            libc::syscall(
                SETXATTRAT,
                dir.as_raw_fd(),
                name.as_ptr(),
                libc::AT_SYMLINK_NOFOLLOW,
                key.as_ptr(),
                &raw const args,
                size_of::<Args>(),
            )
        };
        if let Some(answer) = known(answer) {
            return Ok(answer.map(drop)?);
        }
    }
    Ok(rustix::fs::lsetxattr(through_proc(dir, name), key, value, rustix::fs::XattrFlags::empty())?)
}

/// Calls `ask` with the whole of `buffer` and cuts it to the answer's length; a larger one is tried when it asks for
/// that, up to the kernel's own limit.
fn fill(
    buffer: &mut Vec<u8>,
    mut ask: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<()> {
    let mut size = buffer.capacity().clamp(256, LIMIT);
    loop {
        buffer.resize(size, 0);
        match ask(buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(());
            }
            Err(Errno::RANGE) if size < LIMIT => size = LIMIT,
            Err(error) => return Err(error),
        }
    }
}

/// What a raw call answered, or `None` if it is not there. A filter that knows nothing of it may say `EPERM`; the
/// way through /proc then gives the true answer.
fn known(answer: libc::c_long) -> Option<rustix::io::Result<usize>> {
    if let Ok(length) = usize::try_from(answer) {
        return Some(Ok(length));
    }
    match Errno::from_raw_os_error(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)) {
        Errno::NOSYS => {
            MISSING.store(true, Ordering::Relaxed);
            None
        }
        Errno::PERM => None,
        error => Some(Err(error)),
    }
}

fn length(buffer: &[u8]) -> u32 {
    u32::try_from(buffer.len()).expect("no buffer is larger than the limit")
}

fn through_proc(dir: BorrowedFd<'_>, name: &CStr) -> CString {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    CString::new(path).expect("neither part has a NUL")
}

#[cfg(test)]
mod tests;
