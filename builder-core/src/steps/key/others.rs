//! The files of other containers and of images: what was found out when parts of them were read.
//!
//! They are shown by overlay mounts, whose stamps say nothing; but what they are made of says everything.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::steps::key::{Framed, files};
use crate::steps::sources::Files;
use crate::store::{Store, Work};
use crate::tree::{self, Entry, RelPath};

/// What is kept of a look at some files: all but the list, which is kept with the steps that saw them.
#[derive(Debug, Serialize, Deserialize)]
struct Memo {
    shape: String,
    digest: Digest,
}

/// What `look` finds in the files that `identity` stands for when it is asked for `asked`: remembered, or found now.
pub(crate) fn remembered(
    store: &Store,
    work: &Work,
    identity: &str,
    asked: &[u8],
    look: impl FnOnce() -> Result<(String, Digest, Vec<u8>)>,
) -> Result<(String, Digest, Vec<u8>)> {
    let mut framed = Framed::new("kiln look 1");
    framed.add(identity);
    framed.add(asked);
    let key = framed.finish();
    let known = store.memo(key).and_then(|bytes| serde_json::from_slice::<Memo>(&bytes).ok());
    if let Some(Memo { shape, digest }) = known
        && let Some(list) = store.list(digest)
    {
        return Ok((shape, digest, list));
    }
    let (shape, digest, list) = look()?;
    let memo = Memo { shape, digest };
    store.keep_memo(work, key, &serde_json::to_vec(&memo).expect("plain data"))?;
    Ok((memo.shape, digest, list))
}

/// What is at `path` in the files of a container or image, by content, and the list of that.
pub(super) fn part(
    builder: &Builder<'_>,
    work: &Work,
    files: &Files,
    identity: &str,
    path: &Path,
) -> Result<(Digest, Vec<u8>)> {
    use std::os::unix::ffi::OsStrExt;
    let look = || {
        let root = files.root(builder, work)?.expect("it is not the step's own container");
        let place = root.resolve(path).cannot("mount", path.display())?;
        let found = files::look(&builder.store, work, root, |inputs| {
            let shown = RelPath::clamp(path);
            let Ok(dir) = root.subroot(place.as_path()) else {
                let entry = tree::entry_at(root, &place)?;
                return match entry {
                    Some(entry) => inputs.add(Entry { path: RelPath::root(), ..entry }, &shown),
                    None => Ok(()),
                };
            };
            tree::walk_lazily(&dir).try_for_each(|entry: Result<Entry>| {
                let entry = entry?;
                let shown = shown.append(&entry.path);
                inputs.add(entry, &shown)
            })
        })?;
        Ok((String::new(), found.0, found.1))
    };
    let asked = [b"part ", path.as_os_str().as_bytes()].concat();
    remembered(&builder.store, work, identity, &asked, look).map(|(_, digest, list)| (digest, list))
}
