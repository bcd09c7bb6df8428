//! Owners that cannot be set: written down beside the file, and read back as if they had been.
//!
//! A user with one id owns all files of a container. The owner that a file should have is in an attribute of it, in the
//! form that the tools of the field use (`uid:gid:mode`, the mode in octal); of a link or a pipe, which take no
//! attributes, in one of its directory, named after it. What a command in the container changes is not written down:
//! to it all files belong to root, and it can give them to nobody else.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::sys::userns;
use crate::tree::Meta;

/// Where a file or directory has it.
pub(super) const OWN: &CStr = c"user.containers.override_stat";

/// What an attribute of a directory begins with that has it for the name that follows.
pub(super) const OF_NAME: &[u8] = b"user.kiln.owner.";

/// Whether owners are written down that this user cannot set though others could be.
static ANY: AtomicBool = AtomicBool::new(false);

/// From now on an owner that cannot be set is written down, whoever we are; where that fails as well, it is lost.
pub(crate) fn give_up_owners() {
    ANY.store(true, Ordering::Relaxed);
}

/// Whether records may be there: if not, none has to be looked for or taken away.
pub(super) fn are_recorded() -> bool {
    userns::has_one_id() || ANY.load(Ordering::Relaxed)
}

/// Writes down the owner of an open file. `refusal` is why it could not be set, and the answer if this fails, too.
pub(super) fn record(file: BorrowedFd<'_>, meta: &Meta, refusal: Errno) -> Result<(), Errno> {
    let Meta { uid, gid, mode, .. } = meta;
    set(file, OWN, &format!("{uid}:{gid}:0{mode:o}"), refusal)
}

/// Writes down the owner of `name` in an open directory.
pub(super) fn record_name(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    meta: &Meta,
    refusal: Errno,
) -> Result<(), Errno> {
    let Some(key) = key_of(name) else { return Err(refusal) };
    set(dir, &key, &format!("{}:{}", meta.uid, meta.gid), refusal)
}

fn set(file: BorrowedFd<'_>, key: &CStr, value: &str, refusal: Errno) -> Result<(), Errno> {
    if !are_recorded() || !matches!(refusal, Errno::INVAL | Errno::PERM) {
        return Err(refusal);
    }
    match rustix::fs::fsetxattr(file, key, value.as_bytes(), XattrFlags::empty()) {
        Err(_) if !ANY.load(Ordering::Relaxed) => Err(refusal),
        _ => Ok(()),
    }
}

/// Takes back what was written down of an open file: it has the owner it should have.
pub(super) fn forget(file: BorrowedFd<'_>) {
    if are_recorded() {
        let _ = rustix::fs::fremovexattr(file, OWN);
    }
}

/// As [`forget`], of `name` in an open directory.
pub(super) fn forget_name(dir: BorrowedFd<'_>, name: &OsStr) {
    if are_recorded()
        && let Some(key) = key_of(name)
    {
        let _ = rustix::fs::fremovexattr(dir, key);
    }
}

/// The attribute of a directory for `name`; none for a name as long as names can be.
pub(super) fn key_of(name: &OsStr) -> Option<CString> {
    const LONGEST: usize = 255;
    let key = CString::new([OF_NAME, name.as_bytes()].concat()).ok()?;
    (key.count_bytes() <= LONGEST).then_some(key)
}

/// User and group of a record; the rest of it says what the file says itself.
pub(super) fn parse(value: &[u8]) -> Option<(u32, u32)> {
    let mut fields = std::str::from_utf8(value).ok()?.split(':');
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_with_and_without_what_follows() {
        assert_eq!(parse(b"33:44:0755"), Some((33, 44)));
        assert_eq!(parse(b"0:4294967294:0644:char-1-3"), Some((0, u32::MAX - 1)));
        for bad in [&b""[..], b"1", b"a:b:c", b"1:-1:0", b"4294967296:0:0", b"\xff:1:2"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert!(key_of(OsStr::new(&"x".repeat(239))).is_some());
        assert!(key_of(OsStr::new(&"x".repeat(240))).is_none());
    }
}
