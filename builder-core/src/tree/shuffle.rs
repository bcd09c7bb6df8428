//! Another order of the names in directories, for a build that is compared with one whose files came about in the
//! usual order.
//!
//! Most file systems list names in the order in which they were made, or in the opposite one; so all are taken out of
//! a directory and put back. One that lists them by a hash keeps its order whatever is done.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Dir, FileType, Mode, OFlags, Timestamps};

use crate::tree::Root;

/// Directories as deep as this keep their order: each level holds a handle.
const MAX_DEPTH: usize = 100;

/// Puts the names in all directories of `root` in another order, if the file system has one. Nothing else of them
/// changes, their times included. `aside` is an empty directory of the same file system.
pub(crate) fn shuffle(root: &Root, aside: &Root) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let [root, aside] = [root, aside].map(|root| rustix::fs::openat(root.fd(), ".", flags, Mode::empty()));
    directory(root?.as_fd(), aside?.as_fd(), 0)
}

fn directory(dir: BorrowedFd<'_>, aside: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    let listed = list(dir)?;
    for (name, kind) in listed.iter().filter(|_| depth < MAX_DEPTH) {
        if *kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            directory(rustix::fs::openat(dir, name, flags, Mode::empty())?.as_fd(), aside, depth + 1)?;
        }
    }
    if listed.len() < 2 {
        return Ok(());
    }
    let stat = rustix::fs::fstat(dir)?;
    let mut order: Vec<&CString> = listed.iter().map(|(name, _)| name).collect();
    // In the order they were listed; where that is the order they are listed in again, in the opposite one.
    for _ in 0..2 {
        for (number, name) in order.iter().enumerate() {
            rustix::fs::renameat(dir, name.as_c_str(), aside, number.to_string())?;
        }
        for (number, name) in order.iter().enumerate() {
            rustix::fs::renameat(aside, number.to_string(), dir, name.as_c_str())?;
        }
        if list(dir)?.iter().map(|(name, _)| name).ne(listed.iter().map(|(name, _)| name)) {
            break;
        }
        order.reverse();
    }
    let time = |seconds: i64, nanoseconds: u64| rustix::fs::Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    let last_access = time(stat.st_atime, stat.st_atime_nsec);
    let last_modification = time(stat.st_mtime, stat.st_mtime_nsec);
    Ok(rustix::fs::futimens(dir, &Timestamps { last_access, last_modification })?)
}

/// The names in a directory, as they are listed, with what each is.
fn list(dir: BorrowedFd<'_>) -> io::Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let is_special = |name: &CStr| name == c"." || name == c"..";
        if !is_special(entry.file_name()) {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
