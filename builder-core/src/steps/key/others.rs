//! The files of other containers and of images: what tells them from others without reading them, and what was found
//! out when parts of them were read.
//!
//! They are shown by overlay mounts, whose stamps say nothing; but what they are made of says everything.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::builder::Builder;
use crate::error::{Context, Kind, Result};
use crate::oci::Digest;
use crate::steps::copy::files_of;
use crate::steps::key::{Framed, files};
use crate::steps::timeline;
use crate::store::layers::chain_id;
use crate::store::{Store, Work};
use crate::tree::{self, Entry, RelPath};

/// What tells the files of a container or image from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// They are those of the step's own container, which are below the step.
    Own,
    /// Equal for equal files.
    Known(String),
    /// Nothing does: it is a container that keeps no steps, or was changed by hand.
    Unknown,
}

/// What tells the files of `name`, a container or else an image, from others; `own` is the step's container.
pub(crate) fn identity(builder: &Builder<'_>, work: &Work, own: &str, name: &str) -> Result<Identity> {
    match builder.store.find_container(name) {
        Ok(found) if found.id == own => Ok(Identity::Own),
        Ok(found) => {
            let mut other = builder.store.hold_container(&found.id)?;
            if !other.record.cached || !builder.store.is_untouched(&other)? {
                return Ok(Identity::Unknown);
            }
            let state = timeline::state(builder, &mut other)?;
            other.save()?;
            Ok(Identity::Known(state.hex()))
        }
        Err(error) if error.kind() == Kind::NotFound => {
            let held = builder.store.hold_image(work, name)?;
            Ok(Identity::Known(
                chain_id(&held.config.rootfs.diff_ids).map(|chain| chain.hex()).unwrap_or_default(),
            ))
        }
        Err(error) => Err(error),
    }
}

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
    name: &str,
    identity: &str,
    path: &Path,
) -> Result<(Digest, Vec<u8>)> {
    use std::os::unix::ffi::OsStrExt;
    let look = || {
        let (root, _open) = files_of(builder, work, name, None)?;
        let place = root.resolve(path).cannot("mount", path.display())?;
        let found = files::look(&builder.store, work, &root, |inputs| {
            let shown = RelPath::clamp(path);
            let Ok(dir) = root.subroot(place.as_path()) else {
                let entry = tree::entry_at(&root, &place)?;
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
