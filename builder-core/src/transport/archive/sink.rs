//! An archive being written: one for any kind of what is in it. Blobs go into it as they come; what names them is the
//! kind's own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Kind, Result};
use crate::oci::{Descriptor, Digest, Format};
use crate::transport::archive::write::{Output, TarFile};
use crate::transport::sink::{Outgoing, Part, Role, Sink, Wants};
use crate::transport::source::RawManifest;

/// What an archive of one kind is like.
pub(crate) trait Shape: Send {
    /// The transport, for messages.
    const TRANSPORT: &'static str;
    /// The family of media types in it.
    const FORMATS: &'static [Format];
    /// Which layers it has.
    const WANTS: Wants;
    /// Whether it has indexes.
    const INDEX: bool;

    /// The entry of a blob.
    fn entry(digest: Digest, part: Part<'_>) -> String;

    /// Takes a manifest: gives the entry it is written as, if it is.
    fn put_manifest(&mut self, manifest: &RawManifest, role: Role) -> Result<Option<String>>;

    /// The last entry, which names all.
    fn last(&self) -> (&'static str, Vec<u8>);
}

/// An archive of one kind.
pub(crate) struct ArchiveSink<S> {
    place: String,
    written: Mutex<Written<S>>,
}

struct Written<S> {
    /// None when it is closed.
    tar: Option<TarFile>,
    blobs: BTreeSet<Digest>,
    shape: S,
}

impl<S: Shape> ArchiveSink<S> {
    /// Starts an archive that begins with `first`, entries with their content.
    pub(super) fn new(output: Output, scratch: &Path, first: &[(&str, &[u8])], shape: S) -> Result<Self> {
        let place = format!("{}:{}", S::TRANSPORT, output.name());
        let mut tar = TarFile::begin(output, scratch)?;
        for (name, bytes) in first {
            tar.put(name, bytes)?;
        }
        Ok(ArchiveSink {
            place,
            written: Mutex::new(Written { tar: Some(tar), blobs: BTreeSet::new(), shape }),
        })
    }

    /// Changes what the kind knows.
    pub(super) fn with_shape(&self, change: impl FnOnce(&mut S)) {
        change(&mut self.written().shape);
    }

    fn written(&self) -> MutexGuard<'_, Written<S>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Written<S> {
    fn tar(&mut self) -> Result<&mut TarFile> {
        self.tar
            .as_mut()
            .ok_or_else(|| Error::new(Kind::Io, "cannot write the archive").because("it is closed"))
    }
}

impl<S: Shape> Sink for ArchiveSink<S> {
    fn name(&self) -> String {
        self.place.clone()
    }

    fn formats(&self) -> &'static [Format] {
        S::FORMATS
    }

    fn wants(&self) -> Wants {
        S::WANTS
    }

    fn takes_index(&self) -> bool {
        S::INDEX
    }

    fn lanes(&self) -> usize {
        1
    }

    fn has_blob(&self, blob: &Descriptor, _part: Part<'_>) -> Result<bool> {
        Ok(self.written().blobs.contains(&blob.digest))
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()> {
        let mut written = self.written();
        let mut digest = None;
        written.tar()?.stream(blob, |blob| {
            digest = blob.finish().ok().map(|blob| blob.digest);
            digest.map_or_else(String::new, |digest| S::entry(digest, part))
        })?;
        written.blobs.extend(digest);
        Ok(())
    }

    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        let mut written = self.written();
        match written.shape.put_manifest(manifest, role)? {
            Some(entry) if written.blobs.insert(manifest.digest()) => {
                written.tar()?.put(&entry, &manifest.bytes).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn finish(&self) -> Result<()> {
        let mut written = self.written();
        let (name, bytes) = written.shape.last();
        written.tar()?.put(name, &bytes)?;
        written.tar.take().map_or(Ok(()), TarFile::finish)
    }
}
