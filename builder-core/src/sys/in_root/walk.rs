//! What `openat2` with `RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS` does, part by part.
//!
//! Each part is opened by handle and not followed; what a symlink says is put before the rest of the path. `..` is
//! never asked of the kernel, for the directory may have been moved out of the tree since: the way is taken again from
//! the root, one part less. Allocates nothing.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::libc;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Links, RACES};

/// The longest path there is, with its NUL.
pub(super) const MAX_PATH: usize = 4096;

/// The longest name of a file, with its NUL.
const MAX_NAME: usize = 256;

/// As many symlinks as the kernel follows in one path.
const MAX_LINKS: usize = 40;

/// How a directory on the way is opened.
const STEP: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is still to be walked: a path at the end of a buffer, so that a symlink's target fits before it.
struct Todo {
    bytes: [u8; 2 * MAX_PATH],
    start: usize,
}

impl Todo {
    fn new() -> Self {
        Todo { bytes: [0; 2 * MAX_PATH], start: 2 * MAX_PATH }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Puts a path before the rest. A slash at the end stays one that was written: it asks for a directory.
    fn prepend(&mut self, path: &[u8]) -> Result<(), Errno> {
        let slash = usize::from(!self.rest().is_empty());
        let start = self.start.checked_sub(path.len() + slash).ok_or(Errno::NAMETOOLONG)?;
        self.bytes[start..start + path.len()].copy_from_slice(path);
        self.bytes[start + path.len()..self.start].fill(b'/');
        self.start = start;
        Ok(())
    }

    /// Takes the next part into `name`; `None` at the end.
    fn next<'a>(&mut self, name: &'a mut [u8; MAX_NAME]) -> Result<Option<&'a CStr>, Errno> {
        let skip = self.rest().iter().take_while(|byte| **byte == b'/').count();
        self.start += skip;
        let length = self.rest().iter().take_while(|byte| **byte != b'/').count();
        if length == 0 {
            return Ok(None);
        }
        if length >= MAX_NAME {
            return Err(Errno::NAMETOOLONG);
        }
        name[..length].copy_from_slice(&self.rest()[..length]);
        name[length] = 0;
        self.start += length;
        CStr::from_bytes_until_nul(name).map(Some).map_err(|_| Errno::INVAL)
    }

    /// Whether no name follows; a slash may.
    fn is_last(&self) -> bool {
        self.rest().iter().all(|byte| *byte == b'/')
    }
}

/// The way from the root to where we are: names without links, each followed by a NUL.
struct Trail {
    bytes: [u8; MAX_PATH],
    length: usize,
}

impl Trail {
    fn push(&mut self, name: &CStr) -> Result<(), Errno> {
        let name = name.to_bytes_with_nul();
        let place = self.bytes.get_mut(self.length..self.length + name.len()).ok_or(Errno::NAMETOOLONG)?;
        place.copy_from_slice(name);
        self.length += name.len();
        Ok(())
    }

    /// Forgets the last name; the root stays.
    fn pop(&mut self) {
        let before = self.bytes[..self.length.saturating_sub(1)].iter().rposition(|byte| *byte == 0);
        self.length = before.map_or(0, |nul| nul + 1);
    }

    /// The directory it leads to; `None` for the root.
    fn open(&self, root: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Errno> {
        let mut here: Option<OwnedFd> = None;
        let mut rest = &self.bytes[..self.length];
        while let Ok(name) = CStr::from_bytes_until_nul(rest) {
            let dir = here.as_ref().map_or(root, AsFd::as_fd);
            here = Some(match rustix::fs::openat(dir, name, STEP | OFlags::DIRECTORY, Mode::empty()) {
                // It was a directory a moment ago.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(Errno::AGAIN),
                opened => opened?,
            });
            rest = &rest[name.count_bytes() + 1..];
        }
        Ok(here)
    }
}

/// Opens the path that `parts` make together, as openat2(2) says of the two flags. `flags` has `O_CLOEXEC`.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    parts: &[&[u8]],
    flags: OFlags,
    mode: Mode,
    links: Links,
) -> Result<OwnedFd, Errno> {
    for _ in 0..RACES {
        match Walk::begin(root, parts)?.finish(flags, mode, links) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

struct Walk<'a> {
    root: BorrowedFd<'a>,
    here: Option<OwnedFd>,
    trail: Trail,
    todo: Todo,
    followed: usize,
}

impl<'a> Walk<'a> {
    fn begin(root: BorrowedFd<'a>, parts: &[&[u8]]) -> Result<Self, Errno> {
        let mut todo = Todo::new();
        for part in parts.iter().rev() {
            if part.len() >= MAX_PATH {
                return Err(Errno::NAMETOOLONG);
            }
            todo.prepend(part)?;
        }
        let trail = Trail { bytes: [0; MAX_PATH], length: 0 };
        Ok(Walk { root, here: None, trail, todo, followed: 0 })
    }

    fn dir(&self) -> BorrowedFd<'_> {
        self.here.as_ref().map_or(self.root, AsFd::as_fd)
    }

    fn finish(&mut self, flags: OFlags, mode: Mode, links: Links) -> Result<OwnedFd, Errno> {
        let mut name = [0; MAX_NAME];
        while let Some(part) = self.todo.next(&mut name)? {
            match part.to_bytes() {
                b"." => continue,
                b".." => {
                    self.trail.pop();
                    self.here = self.trail.open(self.root)?;
                    continue;
                }
                _ => {}
            }
            let last = self.todo.is_last();
            let slash = last && !self.todo.rest().is_empty();
            if slash && flags.contains(OFlags::CREATE) {
                return Err(Errno::ISDIR);
            }
            if last
                && !slash
                && let Some(answer) = self.open_unfollowed(part, flags, mode)
            {
                return answer;
            }
            let found = match rustix::fs::openat(self.dir(), part, STEP, Mode::empty()) {
                Err(Errno::NOENT) if last && !slash && flags.contains(OFlags::CREATE) => {
                    return again(rustix::fs::openat(self.dir(), part, flags | OFlags::NOFOLLOW, mode));
                }
                found => found?,
            };
            let sort = FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode);
            if sort == FileType::Symlink {
                self.follow(&found, links)?;
                continue;
            }
            if sort != FileType::Directory && (!last || slash || flags.contains(OFlags::DIRECTORY)) {
                return Err(Errno::NOTDIR);
            }
            if last {
                if flags.contains(OFlags::PATH) {
                    return Ok(found);
                }
                return again(rustix::fs::openat(self.dir(), part, flags | OFlags::NOFOLLOW, mode));
            }
            self.trail.push(part)?;
            self.here = Some(found);
        }
        rustix::fs::openat(self.dir(), c".", flags, mode)
    }

    /// The last part where a symlink there is not followed.
    fn open_unfollowed(&self, part: &CStr, flags: OFlags, mode: Mode) -> Option<Result<OwnedFd, Errno>> {
        let unfollowed = flags.contains(OFlags::NOFOLLOW)
            || (flags.contains(OFlags::CREATE) && flags.contains(OFlags::EXCL));
        unfollowed.then(|| rustix::fs::openat(self.dir(), part, flags | OFlags::NOFOLLOW, mode))
    }

    /// Puts what a symlink says before the rest.
    fn follow(&mut self, link: &OwnedFd, links: Links) -> Result<(), Errno> {
        self.followed += 1;
        if links == Links::Refused || self.followed > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let mut buffer = [0; MAX_PATH];
        let length = rustix::fs::readlinkat_raw(link, c"", &mut buffer)?;
        let target = &buffer[..length];
        if length == 0 {
            return Err(Errno::NOENT);
        }
        if is_magic(link, target)? {
            return Err(Errno::LOOP);
        }
        if target.starts_with(b"/") {
            self.trail.length = 0;
            self.here = None;
        }
        self.todo.prepend(target)
    }
}

/// Someone put a symlink where none was a moment ago.
fn again(opened: Result<OwnedFd, Errno>) -> Result<OwnedFd, Errno> {
    match opened {
        Err(Errno::LOOP) => Err(Errno::AGAIN),
        opened => opened,
    }
}

/// Whether a symlink is one of those that lead somewhere without a path. All are in `proc`, whose plain links
/// (`self`, `mounts`, `net`) are relative paths; the others say an absolute one or `sort:[number]`.
fn is_magic(link: &OwnedFd, target: &[u8]) -> Result<bool, Errno> {
    let looks = target.starts_with(b"/") || target.windows(2).any(|two| two == b":[");
    Ok(looks && rustix::fs::fstatfs(link)?.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

/// The working directory's path.
pub(super) fn working_directory(buffer: &mut [u8; MAX_PATH]) -> Result<&[u8], Errno> {
    // SAFETY: the kernel writes at most as many bytes as said to a buffer that is ours alone.
    let length = unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) };
    match usize::try_from(length) {
        // It counts the NUL. Outside of our root directory the path would not begin with a slash.
        Ok(length) if length > 1 && buffer[0] == b'/' => Ok(&buffer[..length - 1]),
        Ok(_) => Err(Errno::NOENT),
        // SAFETY: the address of this thread's errno, which the call above has set.
        Err(_) => Err(Errno::from_raw_os_error(unsafe { *libc::__errno_location() })),
    }
}
