//! Adapters between a stream of entries and its sink: new owner, new mode, new place, a latest time.
//!
//! Each takes and gives `Iterator<Item = Result<Entry>>`, holds no more than one entry, and leaves content unread.
//! Leaving files out is not here: the walker does that, so that it need not enter what nobody wants.

mod mode;

use crate::error::{Error, Result};
use crate::tree::{Entry, Node, RelPath, Timestamp};

pub(crate) use mode::ModeChange;

/// What can be put between a source of entries and a sink.
pub(crate) trait Adapt: Iterator<Item = Result<Entry>> + Sized {
    /// Everything belongs to `uid` and `gid`.
    fn owned_by(self, uid: u32, gid: u32) -> impl Iterator<Item = Result<Entry>> {
        self.map(move |entry| {
            entry.map(|mut entry| {
                entry.meta.uid = uid;
                entry.meta.gid = gid;
                entry
            })
        })
    }

    /// Modes change as `change` says; symlinks have none.
    fn with_mode(self, change: ModeChange) -> impl Iterator<Item = Result<Entry>> {
        self.map(move |entry| {
            entry.map(|mut entry| {
                let directory = matches!(entry.node, Node::Directory { .. });
                if !matches!(entry.node, Node::Symlink(_)) {
                    entry.meta.mode = change.apply(entry.meta.mode, directory);
                }
                entry
            })
        })
    }

    /// What was below `from` goes below `to`, targets of hard links included; an entry from elsewhere is an error.
    fn moved(self, from: RelPath, to: RelPath) -> impl Iterator<Item = Result<Entry>> {
        self.map(move |entry| {
            let mut entry = entry?;
            entry.path = moved_path(&entry.path, &from, &to)?;
            if let Node::Hardlink(target) = &mut entry.node {
                *target = moved_path(target, &from, &to)?;
            }
            Ok(entry)
        })
    }

    /// Nothing is younger than `latest`.
    fn no_younger_than(self, latest: Timestamp) -> impl Iterator<Item = Result<Entry>> {
        self.map(move |entry| {
            entry.map(|mut entry| {
                entry.meta.mtime = entry.meta.mtime.min(latest);
                entry
            })
        })
    }
}

impl<I: Iterator<Item = Result<Entry>>> Adapt for I {}

fn moved_path(path: &RelPath, from: &RelPath, to: &RelPath) -> Result<RelPath> {
    let below = path.strip(from).ok_or_else(|| {
        Error::invalid(format!("cannot move `{path}`")).because(format!("it is not below `{from}`"))
    })?;
    Ok(to.append(&below))
}

#[cfg(test)]
mod tests;
