//! Where images come from: what the copy engine asks of a place.

use std::io::{Read, Write};

use crate::error::{Error, Kind, Result};
use crate::layer::Compression;
use crate::oci::{Descriptor, Digest, is_index, media_type};
use crate::store::layers::Packed;

/// One image, or an index of several, in some place. Opened for exactly one.
///
/// Nothing that is read is believed: the engine checks digests, sizes, and that a manifest is one.
pub(crate) trait Source: Sync {
    /// How messages call it, e.g. `oci:dir:name`.
    fn name(&self) -> String;

    /// What the image is called there, as it is written there; perhaps by its tag alone.
    fn tags(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// What the location names: a manifest, or an index. At most [`crate::oci::MAX_MANIFEST`] bytes.
    fn manifest(&self) -> Result<RawManifest>;

    /// The layers in the form they can be read in, the lowest first, where that need not be the one the manifest names:
    /// a place that keeps files and no blobs has none of those.
    fn plain_layers(&self) -> Option<Vec<Descriptor>> {
        None
    }

    /// A manifest that an index names. The digest is checked by the caller.
    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest>;

    /// The bytes of a config or layer.
    ///
    /// An interrupted download is resumed by the reader itself; what it gives is checked by whoever reads.
    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>>;

    /// Hands the layers that come before what says what they are to `send`, where the place can only be read from its
    /// beginning on; nothing elsewhere. Called before anything else.
    fn send_ahead(&self, _send: &mut Ahead<'_>) -> Result<()> {
        Ok(())
    }

    /// What was sent so of a layer.
    fn sent_ahead(&self, _diff_id: Digest) -> Option<Descriptor> {
        None
    }

    /// Of how many blobs at a time reading is faster than of one.
    fn lanes(&self) -> usize {
        2
    }

    /// Other forms of a layer that are known to be it: so that a target that has one is not sent it again.
    fn forms(&self, _diff_id: Digest) -> Result<Vec<Packed>> {
        Ok(Vec::new())
    }

    /// A layer in this form, where that can be read from here and need not be made.
    fn ready(&self, _diff_id: Digest, _form: Compression) -> Option<Descriptor> {
        None
    }

    /// Takes note of a form that was made of a layer.
    fn remember(&self, _diff_id: Digest, _form: Packed) -> Result<()> {
        Ok(())
    }

    /// Repositories, `host[:port]/path`, that may have this blob, the likeliest first: from there a registry may take
    /// it by itself.
    fn repositories(&self, _blob: &Descriptor) -> Vec<String> {
        Vec::new()
    }

    /// Simple-signing signatures of a manifest, as they are stored.
    fn signatures(&self, _manifest: Digest) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

/// Sends a layer, which is given plainly, with its length where that is known; and says what it is.
pub(crate) type Ahead<'a> = dyn FnMut(&mut (dyn Read + Send), Option<u64>) -> Result<SentAhead> + 'a;

/// A layer that was sent before it was known what it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentAhead {
    /// The digest of its tar.
    pub diff_id: Digest,
    /// How long that is.
    pub size: u64,
    /// What it is at the target.
    pub blob: Descriptor,
}

/// The bytes of a blob.
pub(crate) enum Content<'a> {
    /// They are there, to be read.
    Stored(Box<dyn Read + Send + 'a>),
    /// They are written when asked for: a layer that is a tree.
    Made(Maker<'a>),
}

/// Writes a layer's tar, from files that may have changed: whoever takes it checks the digest, as of what is stored.
pub(crate) type Maker<'a> = Box<dyn FnOnce(&mut dyn Write) -> Result<()> + Send + 'a>;

/// A manifest or an index, byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawManifest {
    /// What it is.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl RawManifest {
    /// Takes the media type from the bytes, where the place keeps none.
    pub fn sniffed(bytes: Vec<u8>) -> Result<Self> {
        let fields: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|cause| Error::corrupt("cannot read the image manifest").because(cause))?;
        let media_type = match fields["mediaType"].as_str() {
            Some(named) => named.to_owned(),
            None if fields["schemaVersion"] == 1 => {
                return Err(Error::new(Kind::Unsupported, "cannot read the image manifest")
                    .because("it is of Docker's schema 1, which no tool writes any more")
                    .hint("have it pulled and pushed again with a Docker that still reads it (before 26)"));
            }
            None if fields["manifests"].is_array() => media_type::INDEX.to_owned(),
            None if fields["config"]["mediaType"] == media_type::DOCKER_CONFIG => {
                media_type::DOCKER_MANIFEST.to_owned()
            }
            None => media_type::MANIFEST.to_owned(),
        };
        Ok(RawManifest { media_type, bytes })
    }

    /// Whether it is an index.
    pub fn is_index(&self) -> bool {
        is_index(&self.media_type)
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// What names it in an index.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::of(&self.media_type, &self.bytes)
    }
}
