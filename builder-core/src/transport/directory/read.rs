//! A `dir:` directory for reading.

use std::io;
use std::path::Path;

use crate::error::{Context, Result};
use crate::oci::{Descriptor, Digest, MAX_MANIFEST};
use crate::transport::directory::{MAX_SIGNATURES, instance_name, signature_name};
use crate::transport::files::Files;
use crate::transport::source::{Content, RawManifest, Source};
use crate::tree::Root;

/// The image of a directory.
#[derive(Debug)]
pub(crate) struct DirSource {
    root: Root,
    name: String,
}

impl DirSource {
    /// Opens a directory.
    pub fn open(path: &Path) -> Result<Self> {
        let root = Root::open_host(path).cannot("open the directory", path.display())?;
        Ok(DirSource { root, name: format!("dir:{}", path.display()) })
    }
}

impl Source for DirSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn manifest(&self) -> Result<RawManifest> {
        let bytes =
            self.root.read("manifest.json", MAX_MANIFEST).cannot("read the manifest of", &self.name)?;
        RawManifest::sniffed(bytes)
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        let bytes = self.root.read(instance_name(descriptor.digest), MAX_MANIFEST);
        RawManifest::sniffed(bytes.cannot("read the manifest", descriptor.digest)?)
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        let opened = Files::open(&self.root, &blob.digest.hex());
        Ok(Content::Stored(opened.cannot("open the blob", blob.digest)?.0))
    }

    fn signatures(&self, manifest: Digest) -> Result<Vec<Vec<u8>>> {
        let top =
            self.root.read("manifest.json", MAX_MANIFEST).is_ok_and(|bytes| Digest::of(&bytes) == manifest);
        let instance = (!top).then_some(manifest);
        let mut found = Vec::new();
        for number in 1..=MAX_SIGNATURES {
            match self.root.read(signature_name(instance, number), MAX_MANIFEST) {
                Ok(bytes) => found.push(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error).cannot("read the signatures of", &self.name),
            }
        }
        Ok(found)
    }
}
