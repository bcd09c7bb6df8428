//! Layers before they have their names in a storage: whole directories in one of our own, beside where they will be.
//!
//! `overlay/` is mounted on itself where the storage's programs run, so that nothing is renamed into it or out of it,
//! nor linked: what goes there is made there, and files are linked through a view of the file system without mounts.
//! With the driver vfs a layer has all files of those below it, too: they are shared with the layer just below.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::layers::link_name;
use super::place::{Kept, Storage};
use super::share::{fill, fresh, remove, share};
use crate::error::{Context, Error, Result};
use crate::layer::tar::split::{self, Recorder};
use crate::layer::{self, Compression};
use crate::oci::{Digest, Hasher};
use crate::sys::{lock, random};
use crate::transport::blobs::piped;
use crate::transport::convert;
use crate::transport::sink::Outgoing;
use crate::tree::{Options, Root};

/// What the directory of a writer's unfinished layers is called.
const PREFIX: &str = ".kiln-";

/// In a writer's directory: the layers that go with an image.
const GOING: &str = "going";

/// The directories of one writer, locked as long as it lives. What a killed one left, the next one removes.
#[derive(Debug)]
pub(super) struct Stage {
    /// For layers' directories, and what goes away of those.
    layers: Own,
    /// For tar-splits.
    splits: Own,
}

#[derive(Debug)]
struct Own {
    dir: PathBuf,
    _lock: File,
}

impl Own {
    fn begin(above: &Path) -> Result<Self> {
        // One that has a list of layers that go is ended with that.
        dead_in(above, false).for_each(drop);
        loop {
            let dir = above.join(format!("{PREFIX}{}", random::hex(8)));
            private(&dir)?;
            // Between making and locking it a sweep may take it; then it is made again.
            let lock = match File::open(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.cannot("open", dir.display())?,
            };
            if lock::claim(&lock, &dir).cannot("lock", dir.display())? {
                return Ok(Own { dir, _lock: lock });
            }
        }
    }

    fn new_name(&self) -> PathBuf {
        self.dir.join(random::hex(8))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // What cannot be removed now, a later one removes.
        remove(&self.dir);
    }
}

/// What a layer's files are made from, beside its tar.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    /// The tar says all.
    Nothing,
    /// They are these already; the tar is only read.
    Files(&'a Path),
    /// The tar says what is other than here.
    Below(&'a Path),
}

/// A layer that is whole and has no name yet.
#[derive(Debug, Clone)]
pub(super) struct Staged {
    /// Its directory: `diff`, `link` and what else a layer's directory has, but for `lower`.
    pub dir: PathBuf,
    /// Its tar-split.
    pub split: PathBuf,
    /// Its short name.
    pub link: String,
    /// Digest and length of its tar.
    pub diff: (Digest, u64),
    /// Digest and length of the blob as it came.
    pub blob: (Digest, u64),
    /// How that is compressed.
    pub form: Compression,
    /// Every owner in it.
    pub uids: BTreeSet<u32>,
    /// Every group in it.
    pub gids: BTreeSet<u32>,
}

impl Stage {
    /// Begins, and removes what others left that are dead.
    pub fn begin(storage: &Storage) -> Result<Self> {
        let layers = Own::begin(&storage.home())?;
        let splits = Own::begin(&storage.dir(storage.root(), Kept::Layers))?;
        Ok(Stage { layers, splits })
    }

    /// Notes which layers go, before the image goes that has them: if we are killed in between, a sweep ends it.
    pub fn note_going(&self, layers: &BTreeSet<String>) -> Result<()> {
        let path = self.layers.dir.join(GOING);
        let unfinished = self.layers.new_name();
        let bytes = serde_json::to_vec(layers).expect("plain data");
        fs::write(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, &path))
            .cannot("write", path.display())
    }

    /// A name for a layer's directory that goes away.
    pub fn trash(&self) -> PathBuf {
        self.layers.new_name()
    }

    /// The directory of a layer with nothing in it yet, and its short name.
    pub fn empty(&self) -> Result<(PathBuf, String)> {
        let (dir, link) = (self.layers.new_name(), link_name());
        private(&dir)?;
        fresh(&dir.join("diff"))?;
        fs::write(dir.join("link"), &link).cannot("write", dir.join("link").display())?;
        Ok((dir, link))
    }

    /// The same layer once more, for another place in an image. Its files are those of `start`, or made of the tar that
    /// its tar-split and the files in `tree` are.
    pub fn again(
        &self,
        known: &Staged,
        tree: &Path,
        start: Start<'_>,
        options: Options,
    ) -> Result<Option<Staged>> {
        let (dir, link) = self.empty()?;
        let Some(split) = self.second_split(known)? else { return Ok(None) };
        let diff = dir.join("diff");
        let there = match start {
            Start::Files(files) => share(files, &diff, options)?,
            Start::Below(below) => fill(below, &diff, options).map(|()| false)?,
            Start::Nothing => false,
        };
        if !there {
            let (into, tree) = (Root::open_host(&diff), Root::open_host(tree));
            let into = into.cannot("open", diff.display())?;
            let tree = tree.cannot("open the layer", known.diff.0)?;
            let recorded = File::open(&split).cannot("open", split.display())?;
            piped(
                |out| split::join(recorded, &tree, out),
                |outlet| layer::unpack(outlet, &into, options).map(drop),
            )?;
        }
        Ok(Some(Staged { dir, split, link, ..known.clone() }))
    }

    /// A layer of which all is known: its files, in `tree`, are shared. None if they cannot be here, or the tar-split
    /// is gone.
    pub fn take(&self, known: &Staged, tree: &Path, options: Options) -> Result<Option<Staged>> {
        let (dir, link) = self.empty()?;
        let Some(split) = self.second_split(known)? else { return Ok(None) };
        let shared = share(tree, &dir.join("diff"), options)?;
        Ok(shared.then(|| Staged { dir, split, link, ..known.clone() }))
    }

    /// The tar-split of a layer that is known, once more; none if it is gone.
    fn second_split(&self, known: &Staged) -> Result<Option<PathBuf>> {
        let split = self.splits.new_name();
        let linked = match fs::hard_link(&known.split, &split) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => fs::copy(&known.split, &split).map(drop),
            linked => linked,
        };
        linked.cannot("copy", known.split.display())?;
        Ok(Some(split))
    }

    /// Takes a layer whose diff id is to be `diff_id`, where that is known before.
    pub fn layer(
        &self,
        blob: &mut Outgoing<'_>,
        diff_id: Option<Digest>,
        start: Start<'_>,
        options: Options,
    ) -> Result<Staged> {
        let sentence = || match diff_id {
            Some(diff_id) => format!("cannot write the layer `{diff_id}`"),
            None => "cannot write the layer".to_owned(),
        };
        let (dir, link_name) = self.empty()?;
        let split = self.splits.new_name();
        let diff = dir.join("diff");
        let there = match start {
            Start::Files(files) => share(files, &diff, options)?,
            Start::Below(below) => fill(below, &diff, options).map(|()| false)?,
            Start::Nothing => false,
        };
        let file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&split);
        let recorder = Recorder::new(io::BufWriter::new(file.cannot("write", split.display())?));
        let decoder = layer::decode(&mut *blob).map_err(|cause| Error::corrupt(sentence()).because(cause))?;
        let mut recording =
            Recording { source: decoder, recorder, hasher: Hasher::default(), size: 0, hashes: there };
        let found = if there {
            io::copy(&mut recording, &mut io::sink())
                .map_err(|cause| Error::corrupt(sentence()).because(cause))?;
            (std::mem::take(&mut recording.hasher).finish(), recording.size)
        } else {
            let root = Root::open_host(&diff).cannot("open", diff.display())?;
            let unpacked = layer::unpack(&mut recording, &root, options)
                .map_err(|error| Error::new(error.kind(), sentence()).because(error))?;
            (Digest::from_bytes(unpacked.digest), unpacked.size)
        };
        let (file, recorded) =
            recording.recorder.finish().map_err(|cause| Error::corrupt(sentence()).because(cause))?;
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_data())
            .cannot("write", split.display())?;
        if let Some(diff_id) = diff_id.filter(|diff_id| *diff_id != found.0) {
            return Err(Error::corrupt(sentence())
                .because(format!("it unpacks to {}, and the image's config says {diff_id}", found.0)));
        }
        let sent = blob.finish()?;
        Ok(Staged {
            dir,
            split,
            link: link_name,
            diff: found,
            blob: (sent.digest, sent.size),
            form: convert::form_of(&sent).unwrap_or(Compression::None),
            uids: recorded.uids,
            gids: recorded.gids,
        })
    }
}

/// What dead writers left in a directory, ours now: dropping it removes it. What has a list of layers that go is left
/// out, unless `all` are wanted by who ends that.
fn dead_in(above: &Path, all: bool) -> impl Iterator<Item = Own> {
    let ours = |item: &fs::DirEntry| item.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
    let items = fs::read_dir(above).into_iter().flatten().flatten().filter(ours);
    items.filter_map(move |item| {
        let lock = File::open(item.path()).ok().filter(|_| item.path().is_dir())?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        // Now that nobody writes it any more.
        let is_ours = all || !item.path().join(GOING).exists();
        is_ours.then(|| Own { dir: item.path(), _lock: lock })
    })
}

/// What a dead writer left; dropping it removes it.
pub(super) struct Dead(Own);

/// What dead writers left in a storage.
pub(super) fn dead(storage: &Storage) -> Vec<Dead> {
    let places = [storage.home(), storage.dir(storage.root(), Kept::Layers)];
    places.iter().flat_map(|above| dead_in(above, true)).map(Dead).collect()
}

impl Dead {
    /// The layers that were to go with an image.
    pub fn going(&self) -> BTreeSet<String> {
        let bytes = fs::read(self.0.dir.join(GOING)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

fn private(dir: &Path) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(dir).cannot("make", dir.display())
}

/// Reads a tar and records its tar-split; hashes it where nobody else does.
struct Recording<R, W: Write> {
    source: R,
    recorder: Recorder<W>,
    hasher: Hasher,
    size: u64,
    hashes: bool,
}

impl<R: Read, W: Write> Read for Recording<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.recorder.write_all(&buffer[..count])?;
        if self.hashes {
            self.hasher.update(&buffer[..count]);
            self.size += count as u64;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
