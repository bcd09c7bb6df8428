//! What stands between a tree and the sink of its entries: which of them go, where to, with which owner and mode.
//!
//! [`Gather`] leaves out and renames, because it must know before a directory is entered and a hard link is named; the
//! others take and give `Iterator<Item = Result<Entry>>` and hold no more than one entry. Content stays unread.

mod gather;
mod mode;

use crate::error::Result;
use crate::tree::{Entry, Node, Timestamp};

pub(crate) use gather::{Gather, Rules};
pub(crate) use mode::ModeChange;

/// What can be put between a source of entries and a sink.
pub(crate) trait Adapt: Iterator<Item = Result<Entry>> + Sized {
    /// Everything belongs to `owner`, a user and a group id; without one all keep theirs.
    fn owned_by(self, owner: Option<(u32, u32)>) -> impl Iterator<Item = Result<Entry>> {
        self.map(move |entry| {
            let mut entry = entry?;
            if let Some((uid, gid)) = owner {
                entry.meta.uid = uid;
                entry.meta.gid = gid;
            }
            Ok(entry)
        })
    }

    /// Everything is of `time`; without one all keep theirs.
    fn at_time(self, time: Option<Timestamp>) -> impl Iterator<Item = Result<Entry>> {
        self.map(move |entry| {
            let mut entry = entry?;
            if let Some(time) = time {
                entry.meta.mtime = time;
            }
            Ok(entry)
        })
    }

    /// Modes change as `change` says, if it says anything; symlinks have none.
    fn with_mode(self, change: Option<&ModeChange>) -> impl Iterator<Item = Result<Entry>> {
        self.map(move |entry| {
            let mut entry = entry?;
            if let Some(change) = change
                && !matches!(entry.node, Node::Symlink(_))
            {
                let directory = matches!(entry.node, Node::Directory { .. });
                entry.meta.mode = change.apply(entry.meta.mode, directory);
            }
            Ok(entry)
        })
    }
}

impl<I: Iterator<Item = Result<Entry>>> Adapt for I {}

#[cfg(test)]
mod tests;
