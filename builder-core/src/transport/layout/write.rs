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
use crate::transport::unfinished::{self, Unfinished};

/// What the index is called while it is written; whoever writes it holds the layout's lock.
const INDEX_UNFINISHED: &str = ".index.json.kiln";

/// The place of one image in a layout.
#[derive(Debug)]
pub(crate) struct LayoutSink {
    path: PathBuf,
    name: Option<String>,
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
        let blobs = path.join("blobs/sha256");
        fs::create_dir_all(&blobs).cannot("make the OCI layout", path.display())?;
        unfinished::sweep(&blobs);
        if is_new {
            write_marker(path, &marker).cannot("write", marker.display())?;
        }
        Ok(LayoutSink { path: path.to_owned(), name })
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
        Unfinished::begin(&self.path.join("blobs/sha256"))
    }

    /// Waits until nobody else changes the index.
    pub fn alone(&self) -> Result<Lock> {
        lock::wait(&self.path.join("oci-layout"), lock::Mode::Exclusive)
            .cannot("lock the OCI layout", self.path.display())
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
        let found = fs::symlink_metadata(self.path.join(blob_name(blob.digest)));
        Ok(found.is_ok_and(|found| found.is_file() && found.len() == blob.size))
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, _part: Part<'_>) -> Result<()> {
        let place = || self.path.join("blobs/sha256");
        let mut file = self.blob().cannot("write", place().display())?;
        pour(blob, &mut file).cannot("write", place().display())?;
        let path = self.path.join(blob_name(blob.finish()?.digest));
        file.publish(&path).cannot("write", path.display())
    }

    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        self.put(&manifest.bytes)?;
        match role {
            Role::Named => self.enter(&self.alone()?, manifest.descriptor()),
            Role::Instance => Ok(()),
        }
    }
}

/// Writes the file `oci-layout`, whole or not at all. One that another process was faster with stays, and its lock.
fn write_marker(path: &Path, marker: &Path) -> io::Result<()> {
    let mut file = Unfinished::begin(path)?;
    file.write_all(br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    file.publish_new(marker)
}
