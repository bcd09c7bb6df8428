//! OCI image layouts: directories with `oci-layout`, `index.json` and `blobs/sha256`, as the specification has them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::{Context, Error, Kind, Result};
use crate::oci::{Descriptor, Digest, Hasher, Index, MAX_MANIFEST, Manifest, host_architecture, is_index};
use crate::store::images::REF_NAME;
use crate::sys::lock::{self, Lock};
use crate::sys::random;
use crate::tree::Root;

/// How many indexes may be nested: an image of several platforms is one in another.
const MAX_NESTING: usize = 4;

/// A layout someone else may have written: nothing in it is believed before its digest is checked.
#[derive(Debug)]
pub(crate) struct Layout {
    root: Root,
    path: PathBuf,
}

impl Layout {
    /// Opens a layout for reading.
    pub fn open(path: &Path) -> Result<Self> {
        let root = Root::open_host(path).cannot("open the OCI layout", path.display())?;
        let layout = Layout { root, path: path.to_owned() };
        let marker = layout.root.read("oci-layout", 4096).map_err(|error| layout.not_a_layout(error))?;
        let version: serde_json::Value =
            serde_json::from_slice(&marker).map_err(|e| layout.not_a_layout(e))?;
        match version["imageLayoutVersion"].as_str() {
            Some(version) if version.starts_with("1.") => Ok(layout),
            Some(other) => Err(layout.not_a_layout(format!("its layout version is {other}"))),
            None => Err(layout.not_a_layout("oci-layout names no version")),
        }
    }

    fn not_a_layout(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::corrupt(format!("cannot open the OCI layout `{}`", self.path.display()))
            .because(cause)
            .hint("name a directory that has the files oci-layout and index.json")
    }

    /// The manifest named `name`, or the only one; of several platforms the one for this machine.
    pub fn find(&self, name: Option<&str>) -> Result<(Descriptor, Vec<u8>)> {
        let sentence = || match name {
            Some(name) => format!("cannot find the image `{name}` in `{}`", self.path.display()),
            None => format!("cannot choose an image in `{}`", self.path.display()),
        };
        let index = self.root.read("index.json", MAX_MANIFEST).map_err(|error| self.not_a_layout(error))?;
        let index = Index::parse(&index)?;
        let names: Vec<&str> = index
            .manifests
            .iter()
            .filter_map(|entry| entry.annotations.get(REF_NAME).map(String::as_str))
            .collect();
        let found = match name {
            Some(name) => {
                index.manifests.iter().find(|e| e.annotations.get(REF_NAME).is_some_and(|n| n == name))
            }
            None if index.manifests.len() == 1 => index.manifests.first(),
            None => None,
        };
        let found = found.ok_or_else(|| {
            let error = Error::new(Kind::NotFound, sentence()).because(format!(
                "it has {}{}{}",
                count(index.manifests.len()),
                if names.is_empty() { "" } else { ": " },
                names.join(", ")
            ));
            let first = names.first().unwrap_or(&"NAME");
            error.hint(format!("name one of them: oci:{}:{first}", self.path.display()))
        })?;
        self.manifest(found.clone(), 0)
    }

    fn manifest(&self, descriptor: Descriptor, depth: usize) -> Result<(Descriptor, Vec<u8>)> {
        let bytes = self.read_blob(&descriptor, MAX_MANIFEST)?;
        if !is_index(&descriptor.media_type) {
            return Ok((descriptor, bytes));
        }
        let index = Index::parse(&bytes)?;
        let ours = host_architecture();
        let fits = |entry: &&Descriptor| {
            entry
                .platform
                .as_ref()
                .is_some_and(|platform| platform.os == "linux" && platform.architecture == ours)
        };
        let only = (index.manifests.len() == 1).then(|| &index.manifests[0]);
        let found =
            index.manifests.iter().find(fits).or(only).filter(|_| depth < MAX_NESTING).ok_or_else(|| {
                Error::new(Kind::NotFound, format!("cannot choose an image in `{}`", self.path.display()))
                    .because(format!("the index {} has none for linux/{ours}", descriptor.digest))
            })?;
        self.manifest(found.clone(), depth + 1)
    }

    /// A small blob, its size and digest checked.
    pub fn read_blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let digest = descriptor.digest;
        let bytes = self.root.read(blob_name(digest), limit).cannot("read the blob", digest)?;
        if Digest::of(&bytes) != digest {
            return Err(Error::corrupt(format!("cannot read the blob `{digest}`"))
                .because(format!("its content has the digest {}", Digest::of(&bytes))));
        }
        Ok(bytes)
    }

    /// Opens a blob for reading; whoever reads it checks its digest.
    pub fn open_blob(&self, digest: Digest) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.root.open(blob_name(digest), flags, Mode::empty()).cannot("open the blob", digest)?;
        let stat = rustix::fs::fstat(&fd).cannot("open the blob", digest)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(
                Error::corrupt(format!("cannot open the blob `{digest}`")).because("it is no regular file")
            );
        }
        Ok(File::from(fd))
    }
}

fn count(images: usize) -> String {
    if images == 1 { "one image".to_owned() } else { format!("{images} images") }
}

fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A layout being written to. What is in it already stays.
#[derive(Debug)]
pub(crate) struct LayoutWriter {
    path: PathBuf,
}

impl LayoutWriter {
    /// Opens a layout, making it if it does not exist.
    pub fn open(path: &Path) -> Result<Self> {
        let marker = path.join("oci-layout");
        let is_new = !marker.exists();
        // What a killed one of us made before the marker is no other's.
        let ours = |item: &fs::DirEntry| {
            item.file_name() == "blobs" || item.file_name().as_encoded_bytes().starts_with(MARKER_UNFINISHED)
        };
        let others = || {
            fs::read_dir(path).is_ok_and(|items| items.filter_map(io::Result::ok).any(|item| !ours(&item)))
        };
        if is_new && !path.join("index.json").exists() && others() {
            return Err(Error::invalid(format!("cannot make an OCI layout in `{}`", path.display()))
                .because("the directory has other files in it")
                .hint("name a new directory"));
        }
        fs::create_dir_all(path.join("blobs/sha256")).cannot("make the OCI layout", path.display())?;
        if is_new {
            write_marker(path).cannot("write", marker.display())?;
        }
        Ok(LayoutWriter { path: path.to_owned() })
    }

    /// Whether a blob of this digest and size is in it.
    pub fn has(&self, blob: &Descriptor) -> bool {
        let found = fs::symlink_metadata(self.path.join(blob_name(blob.digest)));
        found.is_ok_and(|found| found.is_file() && found.len() == blob.size)
    }

    /// Starts a blob.
    pub fn blob(&self) -> Result<LayoutBlob> {
        let path = self.path.join("blobs/sha256").join(format!(".{}", random::hex(8)));
        let file =
            File::options().create_new(true).write(true).open(&path).cannot("write", path.display())?;
        Ok(LayoutBlob { file: Some(file), path, hasher: Hasher::default(), size: 0 })
    }

    /// Publishes a blob that was written whole.
    pub fn publish(&self, mut blob: LayoutBlob) -> Result<(Digest, u64)> {
        blob.file = None;
        let digest = std::mem::take(&mut blob.hasher).finish();
        let path = self.path.join(blob_name(digest));
        fs::rename(&blob.path, &path).cannot("write", path.display())?;
        Ok((digest, blob.size))
    }

    /// Writes a small blob.
    pub fn put(&self, bytes: &[u8]) -> Result<()> {
        let mut blob = self.blob()?;
        blob.write_all(bytes).cannot("write the blob", Digest::of(bytes))?;
        self.publish(blob).map(drop)
    }

    /// Enters an image into the index. An image that had the name loses it; without a name, one without a name goes.
    pub fn enter(&self, mut manifest: Descriptor, name: Option<&str>) -> Result<()> {
        let _alone: Lock = lock::wait(&self.path.join("oci-layout"), lock::Mode::Exclusive)
            .cannot("lock the OCI layout", self.path.display())?;
        let path = self.path.join("index.json");
        let mut index = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Index::default(),
            bytes => Index::parse(&bytes.cannot("read", path.display())?)?,
        };
        index.manifests.retain(|entry| entry.annotations.get(REF_NAME).map(String::as_str) != name);
        if let Some(name) = name {
            manifest.annotations.insert(REF_NAME.into(), name.into());
        }
        index.manifests.push(manifest);
        let fresh = self.path.join(format!(".index.{}", random::hex(4)));
        fs::write(&fresh, serde_json::to_vec(&index).expect("plain data")).cannot("write", path.display())?;
        fs::rename(&fresh, &path).cannot("write", path.display())
    }
}

/// A blob being written into a layout; removed again unless it is published.
pub(crate) struct LayoutBlob {
    file: Option<File>,
    path: PathBuf,
    hasher: Hasher,
    size: u64,
}

impl Write for LayoutBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().ok_or_else(|| io::Error::other("the blob is finished"))?;
        let taken = file.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LayoutBlob {
    fn drop(&mut self) {
        // Published blobs have no file of this name any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// What the marker file is called until it is whole, but for some random digits.
const MARKER_UNFINISHED: &[u8] = b".oci-layout.";

/// Writes the file `oci-layout`, whole or not at all. One that another process was faster with stays, and its lock.
fn write_marker(path: &Path) -> io::Result<()> {
    let unfinished = format!("{}{}", String::from_utf8_lossy(MARKER_UNFINISHED), random::hex(4));
    let unfinished = path.join(unfinished);
    fs::write(&unfinished, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let marker = path.join("oci-layout");
    match rustix::fs::renameat_with(CWD, &unfinished, CWD, &marker, RenameFlags::NOREPLACE) {
        Err(Errno::EXIST) => fs::remove_file(&unfinished),
        // A file system that cannot refuse to replace, such as NFS.
        Err(Errno::INVAL) => fs::rename(&unfinished, &marker),
        renamed => renamed.map_err(io::Error::from),
    }
}

/// Reads a manifest's config and checks what it says of the layers against the manifest.
pub(crate) fn read_config(
    layout: &Layout,
    manifest: &Manifest,
) -> Result<(Vec<u8>, crate::oci::ImageConfig)> {
    let bytes = layout.read_blob(&manifest.config, MAX_MANIFEST)?;
    let config: crate::oci::ImageConfig = serde_json::from_slice(&bytes).map_err(|cause| {
        Error::corrupt(format!("cannot read the image config `{}`", manifest.config.digest)).because(cause)
    })?;
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(Error::corrupt(format!("cannot read the image config `{}`", manifest.config.digest))
            .because(format!(
                "it names {} layers, the manifest {}",
                config.rootfs.diff_ids.len(),
                manifest.layers.len()
            )));
    }
    Ok((bytes, config))
}

/// Reads from `source` and writes all that was read to `copy` as well.
pub(crate) struct Tee<R, W> {
    /// Where bytes come from.
    pub source: R,
    /// Where they also go.
    pub copy: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.copy.write_all(&buffer[..count])?;
        Ok(count)
    }
}
