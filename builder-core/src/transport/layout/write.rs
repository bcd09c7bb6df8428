//! A layout being written to. What is in it already stays.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
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

/// What the index is called while it is written; whoever writes it holds the layout's lock.
const INDEX_UNFINISHED: &str = ".index.json.kiln";

/// The place of one image in a layout. Its blobs get their names when the manifest comes that names them: a copy that
/// fails leaves nothing.
#[derive(Debug)]
pub(crate) struct LayoutSink {
    path: PathBuf,
    name: Option<String>,
    waiting: Waiting,
    /// What there was not before; goes again unless an image is entered.
    made: Made,
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
    /// Opens a layout, making it if it does not exist. An image that has `name` there loses it; without one, that which
    /// has none goes.
    pub fn open(path: &Path, name: Option<String>) -> Result<Self> {
        let marker = path.join("oci-layout");
        let is_new = !marker.exists();
        // What a killed one of us made before the marker is no other's.
        let ours = |item: &fs::DirEntry| item.file_name() == "blobs";
        let others = || {
            fs::read_dir(path).is_ok_and(|items| items.filter_map(io::Result::ok).any(|item| !ours(&item)))
        };
        if is_new {
            unfinished::sweep(path);
        }
        if is_new && !path.join("index.json").exists() && others() {
            return Err(Error::invalid(format!("cannot make an OCI layout in `{}`", path.display()))
                .because("the directory has other files in it")
                .hint("name a new directory"));
        }
        let made = match (path.exists(), is_new) {
            (true, false) => Made::Nothing,
            (true, true) => Made::Layout,
            (false, _) => Made::Directory,
        };
        let sink = LayoutSink { path: path.to_owned(), name, waiting: Waiting::default(), made };
        sink.prepare().cannot("make the OCI layout", path.display())?;
        unfinished::sweep(&path.join("blobs/sha256"));
        Ok(sink)
    }

    /// Makes what every layout has, where it is missing.
    fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(self.path.join("blobs/sha256"))?;
        let marker = self.marker();
        if marker.exists() { Ok(()) } else { write_marker(&self.path, &marker) }
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
        let place = self.path.join("blobs/sha256");
        match Unfinished::begin(&place) {
            // Someone who began with us has failed, and taken away what had no image in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.prepare()?;
                Unfinished::begin(&place)
            }
            begun => begun,
        }
    }

    /// Waits until nobody else changes the index.
    pub fn alone(&self) -> Result<Lock> {
        let sentence = "lock the OCI layout";
        self.prepare().cannot(sentence, self.path.display())?;
        let alone =
            lock::wait(&self.marker(), lock::Mode::Exclusive).cannot(sentence, self.path.display())?;
        // It was taken away while we waited, and made by us, empty.
        if fs::metadata(self.marker()).is_ok_and(|found| found.len() == 0) {
            fs::write(self.marker(), MARKER).cannot("write", self.marker().display())?;
        }
        Ok(alone)
    }

    /// Takes away a layout that was made for an image which did not come, unless someone else has one in it by now.
    fn unmake(&self) {
        // Whoever enters an image holds this, and makes what is missing.
        let Ok(Some(_alone)) = lock::attempt(&self.marker(), lock::Mode::Exclusive) else { return };
        let blobs = self.path.join("blobs");
        if self.path.join("index.json").exists() || fs::remove_dir(blobs.join("sha256")).is_err() {
            return;
        }
        // What is not empty stays.
        let _ = fs::remove_dir(blobs).and_then(|()| fs::remove_file(self.marker()));
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
        let fresh = self.path.join(INDEX_UNFINISHED);
        fs::write(&fresh, serde_json::to_vec(&index).expect("plain data")).cannot("write", path.display())?;
        fs::rename(&fresh, &path).cannot("write", path.display())
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
        let place = || self.path.join("blobs/sha256");
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

/// Writes the file `oci-layout`, whole or not at all. One that another process was faster with stays, and its lock.
fn write_marker(path: &Path, marker: &Path) -> io::Result<()> {
    let mut file = Unfinished::begin(path)?;
    file.write_all(MARKER)?;
    file.publish_new(marker)
}
