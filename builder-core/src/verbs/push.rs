//! `push`: takes an image out of the store.

use crate::builder::Builder;
use crate::error::Result;
use crate::layer::Compression;
use crate::name::Location;
use crate::oci::{Digest, Format};
use crate::transport::registry::Access;
use crate::transport::{CopyOptions, Places, Recompress, StoreSource, copy_image, open};

/// Takes an image out of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// The image, by name or id.
    pub image: String,
    /// Where to: `oci:dir[:name]`.
    pub target: String,
    /// How layers that were built here are compressed.
    pub compression: Compression,
    /// The media types; the OCI's for a layout, unless given.
    pub format: Option<Format>,
    /// How a registry is reached.
    pub access: Access,
}

impl Push {
    /// Writes what the target does not have, and gives the digest of the manifest there.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Digest> {
        let location = Location::parse(&self.target)?;
        let work = builder.store.work()?;
        let source = StoreSource::new(builder, builder.store.hold_image(&work, &self.image)?);
        let sink = open::sink(Places::of(builder, &work, &self.access), &location)?;
        let options = CopyOptions {
            format: self.format,
            recompress: Recompress { to: Some(self.compression), level: None, force: false },
            ..CopyOptions::default()
        };
        let copied = copy_image(&source, &*sink, &options, builder.reporter())?;
        Ok(copied.manifest.digest)
    }
}
