//! Images into the store: each layer's blob is read once, kept, checked and unpacked in the same pass.

use std::io::{self, Read, Write};
use std::sync::Mutex;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::layer::pour;
use crate::oci::{Descriptor, Digest, Format};
use crate::rootfs::trees;
use crate::store::{Store, Work};
use crate::transport::convert;
use crate::transport::sink::{Outgoing, Part, Role, Signatures, Sink, Wants};
use crate::transport::source::RawManifest;

/// The place of one image in the store.
pub(crate) struct StoreSink<'a> {
    builder: &'a Builder<'a>,
    work: &'a Work,
    names: Vec<String>,
    config: Mutex<Vec<u8>>,
}

impl<'a> StoreSink<'a> {
    /// An image that will have `names`; what it is made of stays as long as `work` lives.
    pub fn new(builder: &'a Builder<'a>, work: &'a Work, names: Vec<String>) -> Self {
        StoreSink { builder, work, names, config: Mutex::default() }
    }

    fn store(&self) -> &Store {
        &self.builder.store
    }

    /// Whether the layer's tree is there; then it stays.
    fn has_tree(&self, chain: &[Digest]) -> Result<bool> {
        self.store().keep_layer_tree(self.work, chain)
    }
}

impl Sink for StoreSink<'_> {
    fn name(&self) -> String {
        self.names.first().cloned().unwrap_or_else(|| "the store".into())
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::Oci, Format::Docker]
    }

    fn wants(&self) -> Wants {
        Wants::Any
    }

    fn takes_index(&self) -> bool {
        false
    }

    fn begin(&self, config: &Descriptor, bytes: &[u8]) -> Result<()> {
        convert::refuse_artifact(config, "the store")?;
        *self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = bytes.to_vec();
        Ok(())
    }

    /// They have said what they can say when the image comes in, and nothing here reads them again.
    fn signatures(&self) -> Signatures {
        Signatures::LeftBehind
    }

    fn has_blob(&self, blob: &Descriptor, part: Part<'_>) -> Result<bool> {
        // What is held first and looked for then cannot go in between.
        self.store().lease(self.work, [blob.digest.hex().as_str()])?;
        if !self.store().has_blob(blob.digest) {
            return Ok(false);
        }
        if let Part::Layer(chain) = part
            && !self.has_tree(chain)?
        {
            let diff_id = *chain.last().expect("a layer is in its own chain");
            let kept = self.store().open_blob(blob.digest)?;
            trees::unpack_kept(self.builder, self.work, kept, blob, diff_id)?;
        }
        Ok(true)
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()> {
        let Part::Layer(chain) = part else {
            // A config came with `begin`.
            return blob.finish().map(drop);
        };
        let mut kept = self.store().blob_writer(self.work)?;
        let Some(known) = blob.known().cloned() else {
            // What it is shows at its end; it is unpacked when it is first needed.
            pour(blob, &mut kept).cannot("copy", "the layer")?;
            return self.store().publish_blob(self.work, kept, blob.finish()?.digest);
        };
        let mut tee = Tee { source: blob, copy: &mut kept };
        if !self.has_tree(chain)? {
            let diff_id = *chain.last().expect("a layer is in its own chain");
            trees::unpack(self.builder, self.work, &mut tee, &known, diff_id)?;
        }
        // Where another process has unpacked it meanwhile, nothing was read yet.
        io::copy(&mut tee, &mut io::sink()).cannot("copy the blob", known.digest)?;
        self.store().publish_blob(self.work, kept, known.digest)
    }

    fn put_manifest(&self, manifest: &RawManifest, _role: Role) -> Result<()> {
        let config = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (bytes, media_type) = (&manifest.bytes, &manifest.media_type);
        self.store().publish_image(self.work, &config, bytes, media_type, &self.names).map(drop)
    }
}

/// Reads from `source` and writes all that was read to `copy` as well.
struct Tee<R, W> {
    source: R,
    copy: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.copy.write_all(&buffer[..count])?;
        Ok(count)
    }
}
