//! A capability to one directory tree: every path inside a container goes through here.
//!
//! A path is resolved by `sys::in_root`, that is `openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)` or the same done
//! by hand: absolute symlinks and too many `..` stay inside, `/proc/self/fd` and the like are refused. What changes a
//! directory opens the parent that way and then names one part with `*at` calls that follow nothing. No method gives
//! an absolute path out.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, Stat};

use crate::sys::in_root::{self, Links};
use crate::tree::RelPath;

/// One directory tree and nothing outside it.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Takes an open directory, whether opened for reading or with `O_PATH`.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Root { fd }
    }

    /// Opens a directory of the host. Its path is trusted: symlinks on the way are followed.
    pub fn open_host(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty())?;
        Ok(Root { fd })
    }

    /// The directory itself.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A second handle of the same directory.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Root { fd: self.fd.try_clone()? })
    }

    /// Opens what `path` leads to, following symlinks inside the tree (the last one too unless `O_NOFOLLOW`).
    pub fn open(&self, path: impl AsRef<Path>, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        Ok(in_root::open(self.fd.as_fd(), path.as_ref(), flags, mode, Links::Followed)?)
    }

    /// The directory that `path` leads to, as a root of its own.
    pub fn subroot(&self, path: impl AsRef<Path>) -> io::Result<Root> {
        self.open(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).map(Root::from_fd)
    }

    /// The open parent directory of `path` and the last part of its name; symlinks are followed in all but the last.
    ///
    /// Fails with `EISDIR` for the root itself and for a path that ends in `..`.
    pub fn parent(&self, path: impl AsRef<Path>) -> io::Result<(OwnedFd, OsString)> {
        let path = path.as_ref();
        let name = path.file_name().ok_or(rustix::io::Errno::ISDIR)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        let dir = self.open(parent, OFlags::DIRECTORY | OFlags::PATH, Mode::empty())?;
        Ok((dir, name.to_owned()))
    }

    /// What `path` is; its last symlink is not followed.
    pub fn lstat(&self, path: impl AsRef<Path>) -> io::Result<Stat> {
        let fd = self.open(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(rustix::fs::fstat(&fd)?)
    }

    /// What `path` leads to.
    pub fn stat(&self, path: impl AsRef<Path>) -> io::Result<Stat> {
        let fd = self.open(path, OFlags::PATH, Mode::empty())?;
        Ok(rustix::fs::fstat(&fd)?)
    }

    /// The canonical place of `path` inside the tree: all symlinks followed; what does not exist is kept as written.
    ///
    /// The answer is for showing and for comparing. To use a place, open it.
    pub fn resolve(&self, path: impl AsRef<Path>) -> io::Result<RelPath> {
        crate::tree::resolve::resolve(self, path.as_ref())
    }

    /// What the symlink at `path` says.
    pub fn readlink(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let fd = self.open(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
        let target = rustix::fs::readlinkat(&fd, "", Vec::new())?;
        Ok(PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(target.to_bytes())))
    }

    /// The bytes of the regular file that `path` leads to; more than `limit` of them, or anything but a regular file
    /// (a pipe would wait for ever), is an error.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
        let fd = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::from(fd).take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            let message = format!("larger than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(bytes)
    }

    /// Makes the one directory `path`, its mode independent of the umask, and opens it.
    pub fn mkdir(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<Root> {
        let (dir, name) = self.parent(path)?;
        // As far as it can be at once: a killed command leaves what its repetition would make.
        rustix::fs::mkdirat(&dir, &name, Mode::from_raw_mode(mode & 0o777))?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&dir, &name, flags, Mode::empty())?;
        rustix::fs::fchmod(&made, Mode::from_raw_mode(mode))?;
        Ok(Root::from_fd(made))
    }

    /// Makes `path` and every directory above it that is missing. Returns the directory and those it made, from the
    /// top, by their canonical places; dangling symlinks on the way are an error (`ENOENT`).
    pub fn mkdir_all(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<(Root, Vec<RelPath>)> {
        let place = self.resolve(path)?;
        let mut made = Vec::new();
        let mut here = RelPath::root();
        for part in place.parts() {
            here = here.join(part);
            match self.mkdir(here.as_path(), mode) {
                Ok(_) => made.push(here.clone()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok((self.subroot(place.as_path())?, made))
    }

    /// Removes `path` and, if it is a directory, all that is in it; follows no symlink. `false` if nothing was there.
    pub fn remove_all(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        let (dir, name) = self.parent(path)?;
        crate::tree::remove::remove_all_at(dir.as_fd(), &name)
    }
}
