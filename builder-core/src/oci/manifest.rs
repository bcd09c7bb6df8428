//! Manifests, indexes and descriptors: OCI's and Docker's schema 2, which differ in their media types only.
//!
//! Own structs and not `oci-spec`'s, as for the config: unknown fields of a pulled index must survive an edit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::oci::Digest;

/// The media types of the OCI image specification 1.1 and of Docker's schema 2.
pub mod media_type {
    /// An OCI manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index: several manifests, one per platform.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image config.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An uncompressed layer; `+gzip` and `+zstd` are the compressed ones.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A gzip layer.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A zstd layer.
    pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker's manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker's config.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker's gzip layer.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// A zstd layer as some tools name it beside Docker's media types; it is read, never written.
    pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
    /// Docker's uncompressed layer.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
}

/// The larger of the two readings of "a manifest": more than this is refused unread.
pub(crate) const MAX_MANIFEST: u64 = 4 << 20;

/// Which of the two families of media types an image is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// OCI's (the default).
    #[default]
    Oci,
    /// Docker's schema 2.
    Docker,
}

impl Format {
    /// The media type of a manifest.
    #[must_use]
    pub fn manifest(self) -> &'static str {
        match self {
            Format::Oci => media_type::MANIFEST,
            Format::Docker => media_type::DOCKER_MANIFEST,
        }
    }

    /// The media type of an index.
    #[must_use]
    pub fn index(self) -> &'static str {
        match self {
            Format::Oci => media_type::INDEX,
            Format::Docker => media_type::DOCKER_INDEX,
        }
    }

    /// The media type of an image config.
    #[must_use]
    pub fn config(self) -> &'static str {
        match self {
            Format::Oci => media_type::CONFIG,
            Format::Docker => media_type::DOCKER_CONFIG,
        }
    }
}

/// Says what a blob is, how large, and its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// Free-form remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// For which platform, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Descriptor {
    /// A descriptor of `bytes`.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// A descriptor of a blob whose digest and size are known.
    #[must_use]
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Descriptor {
            media_type: media_type.into(),
            digest,
            size,
            annotations: BTreeMap::new(),
            platform: None,
            other: BTreeMap::new(),
        }
    }
}

/// A platform as indexes name it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// The processor.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// The variant of the processor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// What this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// An image manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What family it is of; OCI allows it to be absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The image config.
    pub config: Descriptor,
    /// The layers, the lowest first. Programs in Go write null where there are none.
    #[serde(deserialize_with = "super::config::nullable")]
    pub layers: Vec<Descriptor>,
    /// Free-form remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Manifest {
    /// Reads a manifest; one that is also an index, or of another schema, is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let manifest: Manifest = serde_json::from_slice(bytes)
            .map_err(|cause| Error::corrupt("cannot read the image manifest").because(cause))?;
        let ambiguous =
            ["manifests", "fsLayers", "history"].iter().find(|key| manifest.other.contains_key(**key));
        if let Some(key) = ambiguous {
            return Err(Error::corrupt("cannot read the image manifest")
                .because(format!("it has `{key}` beside `layers`, so it could be read in two ways")));
        }
        if manifest.schema_version != 2 {
            return Err(Error::new(crate::Kind::Unsupported, "cannot read the image manifest")
                .because(format!("its schema version is {}, not 2", manifest.schema_version)));
        }
        Ok(manifest)
    }

    /// Which family of media types it is written in.
    #[must_use]
    pub fn format(&self) -> Format {
        if self.media_type == media_type::DOCKER_MANIFEST
            || self.config.media_type == media_type::DOCKER_CONFIG
        {
            Format::Docker
        } else {
            Format::Oci
        }
    }

    /// The bytes that are stored and digested.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has only string keys")
    }
}

/// An index: several manifests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// What family it is of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The manifests. Podman writes `null` for none.
    #[serde(deserialize_with = "super::config::nullable")]
    pub manifests: Vec<Descriptor>,
    /// Free-form remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            schema_version: 2,
            media_type: media_type::INDEX.into(),
            manifests: Vec::new(),
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }
}

impl Index {
    /// Reads an index; one that is also a manifest is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let index: Index = serde_json::from_slice(bytes)
            .map_err(|cause| Error::corrupt("cannot read the image index").because(cause))?;
        if let Some(key) = ["config", "layers"].iter().find(|key| index.other.contains_key(**key)) {
            return Err(Error::corrupt("cannot read the image index")
                .because(format!("it has `{key}` beside `manifests`, so it could be read in two ways")));
        }
        Ok(index)
    }
}

/// What a descriptor in an index is by its media type.
pub(crate) fn is_index(media_type: &str) -> bool {
    media_type == media_type::INDEX || media_type == media_type::DOCKER_INDEX
}

impl Format {
    /// The media type of a layer in this family, whatever family it is named in now.
    #[must_use]
    pub fn layer(self, media_type: &str) -> &str {
        const PAIRS: [(&str, &str); 3] = [
            (media_type::LAYER_ZSTD, media_type::DOCKER_LAYER_ZSTD),
            (media_type::LAYER, media_type::DOCKER_LAYER),
            (media_type::LAYER_GZIP, media_type::DOCKER_LAYER_GZIP),
        ];
        for (oci, docker) in PAIRS {
            if media_type == oci || media_type == docker {
                return if self == Format::Oci { oci } else { docker };
            }
        }
        media_type
    }
}
