//! How overlay's marks are kept in a tree: attributes, devices, or names. What they mean for several trees over each
//! other is `merge`'s business.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, Stat};

/// How overlay's marks are kept in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Not at all: it is an ordinary tree, and a character device 0:0 is just that.
    None,
    /// As root keeps them: `trusted.overlay.*`.
    Trusted,
    /// As a mount with `userxattr` keeps them: `user.overlay.*`.
    User,
    /// By names, as a tar has them (`.wh.x`, `.wh..wh..opq`): for file systems that take neither of the others. No
    /// kernel's overlay reads these.
    Names,
}

/// What a name begins with that says that the rest of it is not here, and what no file is called that is not a mark.
const HIDDEN: &[u8] = b".wh.";
pub(super) const HIDDEN_MARK: &[u8] = b".wh..wh.";
/// The name that makes its directory opaque.
pub(super) const OPAQUE: &CStr = c".wh..wh..opq";

impl Marks {
    /// The attribute that makes a directory opaque; its value is then `y`.
    pub(crate) fn opaque_name(self) -> Option<&'static CStr> {
        match self {
            Marks::None | Marks::Names => None,
            Marks::Trusted => Some(c"trusted.overlay.opaque"),
            Marks::User => Some(c"user.overlay.opaque"),
        }
    }

    /// Whether an object with this mode and device number says that nothing is here.
    pub(crate) fn is_whiteout(self, stat: &Stat) -> bool {
        !matches!(self, Marks::None | Marks::Names)
            && FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && stat.st_rdev == 0
    }

    /// What a name says is not here; `None` for a name that is one.
    pub(super) fn hidden_by(self, name: &[u8]) -> Option<&[u8]> {
        if self == Marks::Names { name.strip_prefix(HIDDEN) } else { None }
    }

    /// The name that says that `name` is not here, where there is such a one.
    pub(super) fn hiding_name(self, name: &OsStr) -> Option<CString> {
        (self == Marks::Names)
            .then(|| CString::new([HIDDEN, name.as_bytes()].concat()).expect("no part of a path has a NUL"))
    }

    /// Whether a name in `dir` says that `name` is not here.
    pub(super) fn hides(self, dir: BorrowedFd<'_>, name: &OsStr) -> bool {
        let hiding = self.hiding_name(name);
        hiding.is_some_and(|hiding| rustix::fs::statat(dir, hiding, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }

    /// Whether this form of marks can be made in `dir`, which is open for reading and ours alone.
    pub(crate) fn can_be_made(self, dir: BorrowedFd<'_>) -> bool {
        let Some(mark) = self.opaque_name() else { return true };
        let name = c".mark";
        // One of ours that was killed here may have left it.
        let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
        let made = rustix::fs::mknodat(dir, name, FileType::CharacterDevice, Mode::empty(), 0).is_ok();
        let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
        let opaque = rustix::fs::fsetxattr(dir, mark, b"y", rustix::fs::XattrFlags::empty()).is_ok();
        let _ = rustix::fs::fremovexattr(dir, mark);
        made && opaque
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_a_killed_try_left_changes_no_answer() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let open = std::fs::File::open(dir.path()).unwrap();
        for form in [Marks::Trusted, Marks::User] {
            let clean = form.can_be_made(open.as_fd());
            std::fs::write(dir.path().join(".mark"), "").unwrap();
            assert_eq!(form.can_be_made(open.as_fd()), clean, "{form:?}");
            assert!(!dir.path().join(".mark").exists());
        }
    }
}
