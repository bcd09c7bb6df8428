//! A layout being written to. What is in it already stays.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::layer::pour;
use crate::oci::{Descriptor, Format, Index, MAX_MANIFEST};
use crate::store::images::REF_NAME;
use crate::sys::lock::{self, Lock};
use crate::transport::layout::blob_name;
use crate::transport::sink::{Outgoing, Part, Role, Sink, Wants};
use crate::transport::source::RawManifest;
use crate::transport::unfinished::{self, Unfinished, Waiting};

/// The file `oci-layout`.
const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Where the blobs are.
const BLOBS: &str = "blobs/sha256";

/// How often a layout is made that another takes away at the same time.
const MOST_TRIES: u32 = 100;

/// The place of one image in a layout. Its blobs get their names when the manifest comes that names them: a copy that
/// fails leaves nothing.
#[derive(Debug)]
pub(crate) struct LayoutSink {
    path: PathBuf,
    name: Option<String>,
    waiting: Waiting,
    /// What there was not before; goes again unless an image is entered.
    made: Made,
    /// Keeps others from taking the layout away, as they would after a failure.
    in_use: Option<Lock>,
}

/// What was made for a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Nothing.
    Nothing,
    /// What is in its directory.
    Layout,
    /// The directory, too.
    Directory,
}

impl LayoutSink {
    /// Opens a layout, making it if it does not exist, also among other files, as Skopeo does. An image that has `name`
    /// there loses it; without one, that which has none goes.
    pub fn open(path: &Path, name: Option<String>) -> Result<Self> {
        let made = if path.join("oci-layout").exists() {
            Made::Nothing
        } else if path.exists() {
            Made::Layout
        } else {
            Made::Directory
        };
        let in_use = prepare(path).cannot("make the OCI layout", path.display())?;
        // Where files that are not whole have names, the marker's may be among them.
        unfinished::sweep(path);
        unfinished::sweep(&path.join(BLOBS));
        Ok(LayoutSink { path: path.to_owned(), name, waiting: Waiting::default(), made, in_use })
    }

    fn marker(&self) -> PathBuf {
        self.path.join("oci-layout")
    }

    /// Writes a small blob.
    pub fn put(&self, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(blob_name(crate::oci::Digest::of(bytes)));
        let written = self.blob().and_then(|mut blob| {
            blob.write_all(bytes)?;
            blob.publish(&path)
        });
        written.cannot("write", path.display())
    }

    /// Begins a blob of unknown digest; it is published under [`blob_name`].
    pub fn blob(&self) -> io::Result<Unfinished> {
        Unfinished::begin(&self.path.join(BLOBS))
    }

    /// Waits until nobody else changes the index.
    pub fn alone(&self) -> Result<Lock> {
        lock::wait(&self.marker(), lock::Mode::Exclusive).cannot("lock the OCI layout", self.path.display())
    }

    /// Takes away a layout that was made for an image which did not come, unless someone else has one in it, or wants
    /// to have.
    fn unmake(&self) {
        let blobs = self.path.join(BLOBS);
        let is_empty = || fs::read_dir(&blobs).is_ok_and(|mut items| items.next().is_none());
        let is_ours = self.in_use.as_ref().is_some_and(Lock::is_alone);
        if !is_ours || self.path.join("index.json").exists() || !is_empty() {
            return;
        }
        // The marker first: whoever comes once the directory of the blobs is gone makes both anew. What is not empty
        // stays.
        let _ = fs::remove_file(self.marker())
            .and_then(|()| fs::remove_dir(&blobs))
            .and_then(|()| fs::remove_dir(self.path.join("blobs")));
        if self.made == Made::Directory {
            let _ = fs::remove_dir(&self.path);
        }
    }

    /// Enters an image into the index.
    pub fn enter(&self, _alone: &Lock, mut manifest: Descriptor) -> Result<()> {
        let path = self.path.join("index.json");
        let mut index = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Index::default(),
            file => {
                let mut bytes = Vec::new();
                let read = file.and_then(|file| file.take(MAX_MANIFEST).read_to_end(&mut bytes));
                read.cannot("read", path.display())?;
                Index::parse(&bytes)?
            }
        };
        let name = self.name.as_deref();
        index.manifests.retain(|entry| entry.annotations.get(REF_NAME).map(String::as_str) != name);
        if let Some(name) = name {
            manifest.annotations.insert(REF_NAME.into(), name.into());
        }
        index.manifests.push(manifest);
        let bytes = serde_json::to_vec(&index).expect("plain data");
        let begun = Unfinished::begin(&self.path);
        let written = begun.and_then(|mut file| file.write_all(&bytes).map(|()| file));
        written.and_then(|file| file.publish(&path)).cannot("write", path.display())
    }
}

impl Sink for LayoutSink {
    fn name(&self) -> String {
        match &self.name {
            Some(name) => format!("oci:{}:{name}", self.path.display()),
            None => format!("oci:{}", self.path.display()),
        }
    }

    fn formats(&self) -> &'static [Format] {
        // No other tool finds Docker's manifests in a layout.
        &[Format::Oci]
    }

    fn wants(&self) -> Wants {
        Wants::Compressed
    }

    fn takes_index(&self) -> bool {
        true
    }

    fn has_blob(&self, blob: &Descriptor, _part: Part<'_>) -> Result<bool> {
        let path = self.path.join(blob_name(blob.digest));
        let found = fs::symlink_metadata(&path);
        let is_there = found.is_ok_and(|found| found.is_file() && found.len() == blob.size);
        Ok(is_there || self.waiting.has(&path, blob.size))
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, _part: Part<'_>) -> Result<()> {
        let place = || self.path.join(BLOBS);
        let mut file = self.blob().cannot("write", place().display())?;
        pour(blob, &mut file).cannot("write", place().display())?;
        self.waiting.add(file, self.path.join(blob_name(blob.finish()?.digest)))
    }

    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        let path = self.path.join(blob_name(manifest.digest()));
        let written = self.blob().and_then(|mut blob| blob.write_all(&manifest.bytes).map(|()| blob));
        self.waiting.add(written.cannot("write", path.display())?, path)?;
        match role {
            Role::Named => {
                let alone = self.alone()?;
                self.waiting.publish()?;
                self.enter(&alone, manifest.descriptor())
            }
            Role::Instance => Ok(()),
        }
    }
}

impl Drop for LayoutSink {
    fn drop(&mut self) {
        // Where such files have names, they are in the way.
        self.waiting.drop_all();
        if self.made != Made::Nothing {
            self.unmake();
        }
    }
}

/// Makes what every layout has, where it is missing. While the lock is held nobody takes it away; there is none where
/// the file system locks no directories, and there nobody takes away anything.
fn prepare(path: &Path) -> io::Result<Option<Lock>> {
    let blobs = path.join(BLOBS);
    let is_of_others =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists);
    let mut tries = 0..MOST_TRIES;
    loop {
        let made = fs::create_dir_all(&blobs).and_then(|()| match lock::share_dir(&blobs) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Ok(None),
            locked => locked.map(Some),
        });
        match made {
            // Someone who began with us has failed, and takes away what he has made: it is there no more, or was there
            // when we made it.
            Err(error) if is_of_others(&error) && tries.next().is_some() => {}
            made => {
                let in_use = made?;
                write_marker(path)?;
                return Ok(in_use);
            }
        }
    }
}

/// Writes the file `oci-layout`, whole or not at all. One that is there stays, and its lock.
fn write_marker(path: &Path) -> io::Result<()> {
    let marker = path.join("oci-layout");
    if marker.exists() {
        return Ok(());
    }
    let mut file = Unfinished::begin(path)?;
    file.write_all(MARKER)?;
    file.publish_new(&marker)
}
