//! Hard links: later names of a file become links to its first. What a merge drops is dropped before, so that the name
//! linked to is one that stays.

use std::collections::HashMap;

use crate::tree::walk::Found;
use crate::tree::{Entry, Node, RelPath};

/// Which file a name belongs to, where it may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inode {
    pub(super) device: u64,
    pub(super) number: u64,
    pub(super) names: u64,
}

/// The names of a stream's files so far: the first keeps the content, the others become hard links to it.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The first name, and how many more there can be; a file whose names all went by is forgotten.
    first: HashMap<(u64, u64), (RelPath, u64)>,
}

impl Links {
    /// The entry as it goes into the stream.
    pub(super) fn name(&mut self, found: Found) -> Entry {
        let Found { mut entry, inode, .. } = found;
        let Some(inode) = inode else { return entry };
        let key = (inode.device, inode.number);
        match self.first.get_mut(&key) {
            None => {
                self.first.insert(key, (entry.path.clone(), inode.names - 1));
            }
            Some((first, left)) => {
                entry.node = Node::Hardlink(first.clone());
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.first.remove(&key);
                }
            }
        }
        entry
    }
}
