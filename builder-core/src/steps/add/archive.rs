//! Archives among the sources: which files are some, and what is in them.
//!
//! A file is an archive if it is a tar with at least one entry, plain or compressed with gzip, zstd, bzip2 or xz; what
//! it is called does not matter.

use std::fs::File;
use std::io;

use rustix::fs::{Mode, OFlags};

use crate::error::{Context, Error, Kind, Result};
use crate::layer::{decode, tar};
use crate::tree::{Entry, Node, RelPath, Root};

/// Whether the regular file at `place` is an archive.
pub(crate) fn is_archive(root: &Root, place: &RelPath) -> Result<bool> {
    let begins = decode(open_file(root, place)?).and_then(tar::is_archive);
    match begins {
        Ok(answer) => Ok(answer),
        // It only looks like something compressed.
        Err(error) if is_about_content(&error) => Ok(false),
        Err(error) => Err(error).cannot("read", place),
    }
}

/// Whether the bytes are to blame, and not the disk.
fn is_about_content(error: &io::Error) -> bool {
    let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match ours {
        Some(ours) => ours.kind() == Kind::Corrupt,
        None => error.raw_os_error().is_none(),
    }
}

/// What is in the archive at `place`, under `base`. Its own root is the directory `base`.
pub(crate) fn open(
    root: &Root,
    place: &RelPath,
    base: &RelPath,
) -> Result<impl Iterator<Item = Result<Entry>>> {
    let decoder = decode(open_file(root, place)?).cannot("read", place)?;
    let base = base.clone();
    Ok(tar::read_archive(decoder).map(move |entry| {
        let mut entry = entry?;
        let is_directory = matches!(entry.node, Node::Directory { .. });
        if entry.path.is_root() && !is_directory {
            return Err(Error::corrupt("cannot read a tar entry").because("its name is that of the root"));
        }
        entry.path = base.append(&entry.path);
        if let Node::Hardlink(target) = &mut entry.node {
            *target = base.append(target);
        }
        Ok(entry)
    }))
}

fn open_file(root: &Root, place: &RelPath) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = root.open(place.as_path(), flags, Mode::empty()).cannot("read", place)?;
    Ok(File::from(fd))
}
