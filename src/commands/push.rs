//! `kiln push`.

use std::path::PathBuf;

use builder_core::{Format, Push, Result};

use crate::args::endpoint::refuse;
use crate::args::{BlobCacheArgs, PushCompressionArgs, RegistryArgs};
use crate::cli::Context;
use crate::commands::image::copy::parse_manifest_type;
use crate::commands::write_file;
use crate::exit::Exit;
use crate::ui::Talk;

/// Take an image out of the store
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, or a list of images, by name or id
    image: String,
    /// Where to: docker://HOST/NAME:TAG, oci:DIR:NAME, oci-archive:FILE:NAME, docker-archive:FILE:NAME, dir:DIR,
    /// docker-daemon:NAME:TAG (of the daemon that DOCKER_HOST names)
    /// (default: the registry of its name)
    target: Option<String>,
    /// Of a list, all of its images
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    compression: PushCompressionArgs,
    /// Do not compress layers that were built here
    #[arg(long, short = 'D')]
    disable_compression: bool,
    /// Write the digest of the manifest to this file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// The manifest's family of media types there: oci or v2s2 (default: as it is, where the target takes that)
    #[arg(long, short, value_name = "FORMAT", value_parser = parse_manifest_type)]
    format: Option<Format>,
    /// Leave signatures behind
    #[arg(long)]
    remove_signatures: bool,
    /// Remove a list of images afterwards
    #[arg(long)]
    rm: bool,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    blob_cache: BlobCacheArgs,
    #[command(flatten)]
    refused: Refused,
}

/// Buildah's flags that can have no effect here.
#[derive(Debug, clap::Args)]
struct Refused {
    /// Not here: encrypt layers
    #[arg(long, value_name = "KEY", hide = true)]
    encryption_key: Vec<String>,
    /// Not here: encrypt layers
    #[arg(long, value_name = "N", hide = true, allow_negative_numbers = true)]
    encrypt_layer: Vec<i32>,
    /// Not here: sign the image
    #[arg(long, value_name = "FINGERPRINT", hide = true)]
    sign_by: Option<String>,
}

impl Args {
    /// Pushes; the result is at the target.
    pub fn run(self, context: &Context) -> Result<Exit> {
        if !self.refused.encryption_key.is_empty() || !self.refused.encrypt_layer.is_empty() {
            return refuse("encryption-key", "push the image without encryption");
        }
        if self.refused.sign_by.is_some() {
            return refuse("sign-by", "sign the image afterwards, with a tool that keeps the keys");
        }
        let blobs = self.blob_cache.make()?;
        let talk = Talk { quiet: self.quiet };
        let (layers, level) = match self.disable_compression {
            true => (builder_core::Layers::Kept, None),
            false => self.compression.layers()?,
        };
        let push = Push {
            image: self.image,
            target: self.target,
            all: self.all,
            layers,
            level,
            format: self.format,
            remove_signatures: self.remove_signatures,
            rm: self.rm,
            access: self.registry.access()?,
        };
        let digest = push.perform(&context.privileged(&talk)?.keeping_blobs(blobs))?;
        if let Some(path) = &self.digestfile {
            write_file(path, &digest.to_string())?;
        }
        Ok(Exit::Success)
    }
}
