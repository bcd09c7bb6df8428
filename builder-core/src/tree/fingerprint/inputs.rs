//! What goes into a step, entry by entry: one digest for all of it, and the list that tells which entry changed.

use std::os::unix::ffi::OsStrExt;

use super::known::{self, Known};
use super::{Fingerprint, hash_entry};
use crate::error::{Context, Result};
use crate::oci::{Digest, Hasher};
use crate::tree::{Content, Entry, Node, RelPath};

/// Takes entries in the order of their stream.
pub(crate) struct Inputs {
    hash: Hasher,
    list: Vec<u8>,
    known: Known,
}

impl Inputs {
    /// Begins with what is known of the files.
    pub(crate) fn new(known: Known) -> Self {
        Inputs { hash: Hasher::default(), list: Vec::new(), known }
    }

    /// Adds an entry with its path and content, which is read only if it is not known. Times do not count, nor does the
    /// path that is `shown` in the list.
    pub(crate) fn add(&mut self, mut entry: Entry, shown: &RelPath) -> Result<()> {
        let body = match &mut entry.node {
            Node::File { size, content: Content::Seen { dir, name, stamp } } => {
                Some(self.known.body(dir, name, *stamp, *size).cannot("read", &entry.path)?)
            }
            _ => {
                let content = hash_entry(&mut entry)?;
                content.map(|content| known::body(&content, &std::mem::take(&mut entry.meta.xattrs)))
            }
        };
        let mut print = Fingerprint::default();
        print.add(&RelPath::root(), &entry, body.as_ref());
        let print = print.digest().hex();
        self.hash.update(print.as_bytes());
        let path = shown.as_path().as_os_str().as_bytes();
        // Half of it tells two versions of a file apart.
        self.list.extend_from_slice(&print.as_bytes()[..32]);
        self.list.extend_from_slice(path);
        self.list.push(0);
        Ok(())
    }

    /// The digest of all entries, and the list: for each 32 hexadecimal digits of its fingerprint, then its path, ended
    /// by a zero byte; and what is known of the files now, if that is more than before.
    pub(crate) fn finish(self) -> (Digest, Vec<u8>, Option<Vec<u8>>) {
        (self.hash.finish(), self.list, self.known.finish())
    }
}

/// The path of the first entry in which two lists differ, and how: changed, added or removed, seen from `old`.
pub(crate) fn first_difference(old: &[u8], new: &[u8]) -> Option<(String, &'static str)> {
    let read = |list: &'_ [u8]| -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
        let entries = list.split(|byte| *byte == 0).filter_map(|entry| entry.split_at_checked(32));
        entries.map(|(print, path)| (path.to_vec(), print.to_vec())).collect()
    };
    let (old, new) = (read(old), read(new));
    let show = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    let changed = new.iter().find(|(path, print)| old.get(*path).is_some_and(|before| before != *print));
    if let Some((path, _)) = changed {
        return Some((show(path), "changed"));
    }
    if let Some(path) = new.keys().find(|path| !old.contains_key(*path)) {
        return Some((show(path), "was added"));
    }
    old.keys().find(|path| !new.contains_key(*path)).map(|path| (show(path), "was removed"))
}
