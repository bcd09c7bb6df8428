//! Layers before they have their names in a storage: whole directories in one of our own, beside where they will be.
//!
//! `overlay/` is mounted on itself where the storage's programs run, so that nothing is renamed into it or out of it,
//! nor linked: what goes there is made there, and files are linked through a view of the file system without mounts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::layers::link_name;
use super::place::{Kept, Storage};
use crate::error::{Context, Error, Result};
use crate::layer::tar::split::Recorder;
use crate::layer::{self, Compression};
use crate::oci::{Digest, Hasher};
use crate::sys::{mount, random};
use crate::transport::convert;
use crate::transport::sink::Outgoing;
use crate::tree::{Options, Root, twin};

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
        let dir = above.join(format!("{PREFIX}{}", random::hex(8)));
        private(&dir)?;
        let lock = File::open(&dir).cannot("open", dir.display())?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).cannot("lock", dir.display())?;
        Ok(Own { dir, _lock: lock })
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
        let layers = Own::begin(&storage.root().join("overlay"))?;
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

    /// The same layer once more, for another place in an image: its files, in `tree`, get further names.
    pub fn again(&self, known: &Staged, tree: &Path) -> Result<Staged> {
        self.take(known, tree)?.ok_or_else(|| {
            Error::new(crate::Kind::Io, format!("cannot write the layer `{}` twice", known.diff.0))
                .because("its files cannot have more names")
        })
    }

    /// A layer of which all is known: its files, in `tree`, get further names. None if they can have none here, or the
    /// tar-split is gone.
    pub fn take(&self, known: &Staged, tree: &Path) -> Result<Option<Staged>> {
        let (dir, link) = self.empty()?;
        let split = self.splits.new_name();
        let linked = match fs::hard_link(&known.split, &split) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => fs::copy(&known.split, &split).map(drop),
            linked => linked,
        };
        linked.cannot("copy", known.split.display())?;
        Ok(share(tree, &dir.join("diff"))?.then(|| Staged { dir, split, link, ..known.clone() }))
    }

    /// Takes a layer whose diff id is to be `diff_id`: its files are those of `tree`, where that is given and on this
    /// file system, and unpacked else.
    pub fn layer(
        &self,
        blob: &mut Outgoing<'_>,
        diff_id: Digest,
        tree: Option<&Path>,
        options: Options,
    ) -> Result<Staged> {
        let sentence = || format!("cannot write the layer `{diff_id}`");
        let (dir, link_name) = self.empty()?;
        let split = self.splits.new_name();
        let diff = dir.join("diff");
        let linked = match tree {
            Some(tree) => share(tree, &diff)?,
            None => false,
        };
        let file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&split);
        let recorder = Recorder::new(io::BufWriter::new(file.cannot("write", split.display())?));
        let decoder = layer::decode(&mut *blob).map_err(|cause| Error::corrupt(sentence()).because(cause))?;
        let mut recording =
            Recording { source: decoder, recorder, hasher: Hasher::default(), size: 0, hashes: linked };
        let found = if linked {
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
        if found.0 != diff_id {
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
    items.filter(move |item| all || !item.path().join(GOING).exists()).filter_map(|item| {
        let lock = File::open(item.path()).ok().filter(|_| item.path().is_dir())?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Own { dir: item.path(), _lock: lock })
    })
}

/// What a dead writer left; dropping it removes it.
pub(super) struct Dead(Own);

/// What dead writers left in a storage.
pub(super) fn dead(storage: &Storage) -> Vec<Dead> {
    let places = [storage.root().join("overlay"), storage.dir(storage.root(), Kept::Layers)];
    places.iter().flat_map(|above| dead_in(above, true)).map(Dead).collect()
}

impl Dead {
    /// The layers that were to go with an image.
    pub fn going(&self) -> BTreeSet<String> {
        let bytes = fs::read(self.0.dir.join(GOING)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

fn remove(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    let _ = Root::open_host(parent).and_then(|parent| parent.remove_all(name));
}

fn private(dir: &Path) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(dir).cannot("make", dir.display())
}

/// Gives the files of `tree` second names in the empty directory `into`, directories are made anew. `false` if they
/// cannot have any there; then it is empty still.
fn share(tree: &Path, into: &Path) -> Result<bool> {
    // As they are, in case a view cannot be had: a mount of one's own needs the right to mount.
    let as_they_are = || Ok((Root::open_host(tree)?, Root::open_host(into)?));
    for view in [without_mounts(tree, into), as_they_are()] {
        let Ok((from, to)) = view else { continue };
        if twin(&from, &to).cannot("link the files of", tree.display())? {
            return Ok(true);
        }
        remove(into);
        fresh(into)?;
    }
    Ok(false)
}

/// Two directories of one file system as that has them, without what is mounted there.
fn without_mounts(one: &Path, other: &Path) -> io::Result<(Root, Root)> {
    let (one, other) = (fs::canonicalize(one)?, fs::canonicalize(other)?);
    let same = one.components().zip(other.components()).take_while(|(one, other)| one == other);
    let above: PathBuf = same.map(|(part, _)| part).collect();
    let view = Root::from_fd(mount::clone_of(&above)?);
    let open = |path: &Path| {
        let found = view.subroot(path.strip_prefix(&above).map_err(io::Error::other)?)?;
        let (there, seen) = (fs::metadata(path)?, rustix::fs::fstat(found.fd())?);
        match (there.dev(), there.ino()) == (seen.st_dev, seen.st_ino) {
            true => Ok(found),
            // On another file system, mounted in between.
            false => Err(io::Error::from(io::ErrorKind::CrossesDevices)),
        }
    };
    Ok((open(&one)?, open(&other)?))
}

/// A new directory for a layer's files.
fn fresh(dir: &Path) -> Result<Root> {
    fs::create_dir(dir).cannot("make", dir.display())?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).cannot("make", dir.display())?;
    Root::open_host(dir).cannot("open", dir.display())
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
