//! Where images go: what the copy engine asks of a place, and the blobs on their way there.

use std::io::{self, Read};

use crate::error::{Context, Error, Result};
use crate::event::{Meter, Metered};
use crate::layer::Checked;
use crate::oci::{Descriptor, Digest, Format};
use crate::transport::source::RawManifest;

/// A place that takes images. What is sent has no name before [`Sink::put_manifest`] and [`Sink::finish`].
pub(crate) trait Sink: Sync {
    /// How messages call it, e.g. `oci:dir:name`.
    fn name(&self) -> String;

    /// The families of media types it takes, the one it prefers first.
    fn formats(&self) -> &'static [Format];

    /// Which layers it wants, unless the user says otherwise.
    fn wants(&self) -> Wants;

    /// Whether it takes an index and the manifests it names.
    fn takes_index(&self) -> bool;

    /// Of how many blobs at a time writing is faster than of one.
    fn lanes(&self) -> usize {
        2
    }

    /// Whether each blob waits for an answer from afar, so that small ones go beside the large.
    fn is_remote(&self) -> bool {
        false
    }

    /// Whether it takes layers before it is told what they are of: their diff ids are not known yet, and they come as
    /// [`Part::Layer`] of none.
    fn takes_ahead(&self) -> bool {
        true
    }

    /// Told before the blobs of an image: its config, byte for byte.
    fn begin(&self, _config: &Descriptor, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Whether the blob is there already.
    fn has_blob(&self, blob: &Descriptor, part: Part<'_>) -> Result<bool>;

    /// Takes the blob from another repository of the same place. `false` if that cannot be: then it is sent.
    fn mount_blob(&self, _blob: &Descriptor, _repository: &str) -> Result<bool> {
        Ok(false)
    }

    /// Takes a blob. It has to be read to its end, which is an error if it is not what [`Outgoing::known`] says; then,
    /// or where nothing is known before, [`Outgoing::finish`] tells digest and size.
    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()>;

    /// Whether a blob that failed like this, and was sent so many times more already, is sent again from its beginning.
    /// Waits as long as is due.
    fn send_again(&self, _error: &Error, _tried: u32) -> bool {
        false
    }

    /// Whether the manifest is there already, under its name, and with it all that it names. `false` where that cannot
    /// be told at less cost than by looking for what it names.
    fn has_manifest(&self, _manifest: &RawManifest, _role: Role) -> Result<bool> {
        Ok(false)
    }

    /// Takes a manifest or an index whose blobs, or manifests, were sent before.
    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()>;

    /// What becomes here of simple-signing signatures.
    fn signatures(&self) -> Signatures {
        Signatures::Refused
    }

    /// Takes the signatures of a manifest; called before that comes, and where there are some and they are kept.
    fn put_signatures(&self, _manifest: Digest, _signatures: &[Vec<u8>]) -> Result<()> {
        Ok(())
    }

    /// Everything was sent: an archive is closed, a file gets its name.
    fn finish(&self) -> Result<()> {
        Ok(())
    }
}

/// What a manifest is to the place that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What the location names.
    Named,
    /// One that an index names, by its digest only.
    Instance,
}

/// Why a place takes no manifest of OCI's form; it may take the same image in Docker's.
#[derive(Debug)]
pub(crate) struct FormRefused(pub String);

impl std::fmt::Display for FormRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormRefused {}

/// Whether a place has refused a manifest for its form.
pub(crate) fn is_form_refused(error: &Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if cause.is::<FormRefused>() {
            return true;
        }
        next = cause.source();
    }
    false
}

/// What becomes of the signatures of an image in the place that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signatures {
    /// They are kept beside it.
    Kept,
    /// Nobody looks for them there: they are not even read.
    LeftBehind,
    /// There is no place for them, and somebody may miss them: who copies has to say that they stay behind.
    Refused,
}

/// Which layers a place wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// As they are.
    Any,
    /// Compressed ones: a plain one is compressed on its way.
    Compressed,
    /// Plain ones: a compressed one is decompressed on its way.
    Plain,
    /// As they are, whatever anybody asks: the place unpacks them, and keeps no such form.
    Unchanged,
}

/// What a blob is to its image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part<'a> {
    /// The image config.
    Config,
    /// A layer of an image: the diff ids up to its own, the lowest first; none where it comes ahead.
    Layer(&'a [Digest]),
    /// Something in a manifest that is no image: an artifact.
    Other,
}

/// A blob on its way: digested, counted and told of while it is read.
pub(crate) struct Outgoing<'a> {
    checked: Checked<Box<dyn Read + Send + 'a>>,
    known: Option<Descriptor>,
    media_type: String,
    what: String,
}

impl<'a> Outgoing<'a> {
    /// A blob of which digest and size are known; `meter` counts its bytes.
    pub fn known_as(reader: impl Read + Send + 'a, blob: &Descriptor, meter: &'a Meter<'a>) -> Self {
        let reader: Box<dyn Read + Send + 'a> = Box::new(Metered::new(reader, meter));
        let what = meter.what().to_owned();
        let checked = Checked::new(reader, blob);
        Outgoing { checked, known: Some(blob.clone()), media_type: blob.media_type.clone(), what }
    }

    /// A blob that is made while it is read. `meter` counts what it is made of.
    pub fn unknown(reader: impl Read + Send + 'a, media_type: &str, meter: &Meter<'_>) -> Self {
        let reader: Box<dyn Read + Send + 'a> = Box::new(reader);
        let what = meter.what().to_owned();
        Outgoing { checked: Checked::unknown(reader), known: None, media_type: media_type.into(), what }
    }

    /// Digest and size, where they are known before the blob was read.
    pub fn known(&self) -> Option<&Descriptor> {
        self.known.as_ref()
    }

    /// Reads what is left, and says what the whole was.
    pub fn finish(&mut self) -> Result<Descriptor> {
        let (digest, size) = self.checked.finish().cannot("copy", &self.what)?;
        Ok(match &self.known {
            Some(known) => known.clone(),
            None => Descriptor::new(&self.media_type, digest, size),
        })
    }
}

impl Read for Outgoing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.checked.read(buffer)
    }
}
