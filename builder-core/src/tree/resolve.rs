//! Where a path ends up inside a tree, part by part, for paths whose last parts need not exist.
//!
//! Every step opens one name by handle and follows nothing, so the answer is true for the tree at that moment.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::tree::{RelPath, Root};

/// As many symlinks as the kernel follows in one path.
const MAX_LINKS: usize = 40;

/// The canonical place of `path` in `root`; see [`Root::resolve`].
pub(super) fn resolve(root: &Root, path: &Path) -> io::Result<RelPath> {
    let open_dir = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut todo: VecDeque<OsString> = parts(path).collect();
    // The open directories from the root down to where we are; shorter than `place` once a part does not exist.
    let mut dirs: Vec<OwnedFd> = vec![rustix::fs::openat(root.fd(), ".", open_dir, Mode::empty())?];
    let mut place = RelPath::root();
    let mut missing = 0_usize;
    let mut links = 0;
    while let Some(part) = todo.pop_front() {
        if part == ".." {
            if missing > 0 {
                missing -= 1;
            } else if dirs.len() > 1 {
                dirs.pop();
            }
            place = place.parent().unwrap_or_default();
            continue;
        }
        if missing > 0 {
            missing += 1;
            place = place.join(&part);
            continue;
        }
        let here = dirs.last().expect("the root is never popped");
        let found = match rustix::fs::openat(here, &part, open_dir, Mode::empty()) {
            Err(Errno::NOENT) => {
                missing = 1;
                place = place.join(&part);
                continue;
            }
            found => found?,
        };
        let stat = rustix::fs::fstat(&found)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            let target = rustix::fs::readlinkat(&found, "", Vec::new())?;
            let target = Path::new(OsStr::from_bytes(target.to_bytes()));
            if target.is_absolute() {
                dirs.truncate(1);
                place = RelPath::root();
            }
            for part in parts(target).collect::<Vec<_>>().into_iter().rev() {
                todo.push_front(part);
            }
            continue;
        }
        place = place.join(&part);
        dirs.push(found);
    }
    Ok(place)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    })
}
