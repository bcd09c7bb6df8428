//! An OCI layout in a tar, for writing: one archive of any number of images.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use crate::error::{Error, Kind, Result};
use crate::oci::{Descriptor, Digest, Format, Index};
use crate::store::images::REF_NAME;
use crate::transport::archive::write::{Output, TarFile};
use crate::transport::layout::blob_name;
use crate::transport::sink::{Outgoing, Part, Role, Sink, Wants};
use crate::transport::source::RawManifest;

/// A layout in an archive, being written.
#[derive(Debug)]
pub(crate) struct LayoutArchiveSink {
    place: String,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    tar: Option<TarFile>,
    blobs: BTreeSet<Digest>,
    index: Index,
    name: Option<String>,
}

impl LayoutArchiveSink {
    /// Starts an archive. One that is there already is replaced when this one is whole.
    pub fn begin(output: Output, name: Option<String>, scratch: &Path) -> Result<Self> {
        let place = format!("oci-archive:{}", output.name());
        let mut tar = TarFile::begin(output, scratch)?;
        tar.put("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let written = Written { tar: Some(tar), blobs: BTreeSet::new(), index: Index::default(), name };
        Ok(LayoutArchiveSink { place, written: Mutex::new(written) })
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Written {
    fn tar(&mut self) -> Result<&mut TarFile> {
        self.tar
            .as_mut()
            .ok_or_else(|| Error::new(Kind::Io, "cannot write the archive").because("it is closed"))
    }
}

impl Sink for LayoutArchiveSink {
    fn name(&self) -> String {
        self.place.clone()
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::Oci]
    }

    fn wants(&self) -> Wants {
        Wants::Compressed
    }

    fn takes_index(&self) -> bool {
        true
    }

    fn lanes(&self) -> usize {
        1
    }

    fn has_blob(&self, blob: &Descriptor, _part: Part<'_>) -> Result<bool> {
        Ok(self.written().blobs.contains(&blob.digest))
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, _part: Part<'_>) -> Result<()> {
        let mut written = self.written();
        let mut digest = None;
        written.tar()?.stream(blob, |blob| {
            digest = blob.finish().ok().map(|blob| blob.digest);
            digest.map_or_else(String::new, blob_name)
        })?;
        written.blobs.extend(digest);
        Ok(())
    }

    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        let mut written = self.written();
        if written.blobs.insert(manifest.digest()) {
            written.tar()?.put(&blob_name(manifest.digest()), &manifest.bytes)?;
        }
        if role == Role::Named {
            let mut entry = manifest.descriptor();
            entry.annotations.extend(written.name.take().map(|name| (REF_NAME.to_owned(), name)));
            written.index.manifests.push(entry);
        }
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        let mut written = self.written();
        let index = serde_json::to_vec(&written.index).expect("plain data");
        written.tar()?.put("index.json", &index)?;
        written.tar.take().map_or(Ok(()), TarFile::finish)
    }
}
