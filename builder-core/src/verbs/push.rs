//! `push`: takes an image out of the store.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::layer::Compression;
use crate::name::Location;
use crate::oci::{Digest, Format};
use crate::transport;

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
}

impl Push {
    /// Writes what the target does not have, and gives the digest of the manifest there.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Digest> {
        let Location::Oci { dir, name } = Location::parse(&self.target)? else {
            return Err(Error::new(Kind::Unsupported, format!("cannot push to `{}`", self.target))
                .because("this version talks to no registry")
                .hint("push to an OCI layout: kiln push IMAGE oci:DIRECTORY:NAME"));
        };
        let store = &builder.store;
        let work = store.work()?;
        let image = store.hold_image(&work, &self.image)?;
        let mut push = transport::Push::open(builder, &dir, self.compression)?;
        let mut manifest = image.manifest.clone();
        push.layers(&mut manifest.layers, &image.config.rootfs.diff_ids)?;
        // Only OCI manifests are found in a layout by the tools of the field.
        let format = self.format.unwrap_or(Format::Oci);
        if manifest == image.manifest && format == manifest.format() {
            return push.publish_unchanged(
                &image.config_bytes,
                &image.manifest_bytes,
                format,
                name.as_deref(),
            );
        }
        manifest.media_type = format.manifest().into();
        manifest.config.media_type = format.config().into();
        push.publish(&image.config_bytes, manifest, name.as_deref())
    }
}
