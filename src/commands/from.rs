//! `kiln from`.

use std::path::PathBuf;

use builder_core::{Format, From, Result};

use crate::args::endpoint::refuse;
use crate::args::{BlobCacheArgs, PlatformArgs, PullArgs, RegistryArgs, RunOptions};
use crate::cli::Context;
use crate::commands::{check_output, default_format, parse_format, write_file};
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::{self, Talk};

/// Make a working container of an image, or from `scratch`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `scratch`, an image's name or id, or a location such as oci:DIR:NAME
    image: String,
    /// The container's name (default: IMAGE-working-container, with -1, -2 … while that is taken)
    #[arg(long)]
    name: Option<String>,
    /// Write the container's id to this file
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    /// The format that a commit of it writes: oci or docker (default: oci) [env: BUILDAH_FORMAT]
    #[arg(long, short, value_parser = parse_format)]
    format: Option<Format>,
    /// Take each run, copy, add and config on it from the cache where it was done before on the same files [env:
    /// KILN_CACHED=1]
    #[arg(long)]
    cached: bool,
    #[command(flatten)]
    pull: PullArgs,
    #[command(flatten)]
    platform: PlatformArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    blob_cache: BlobCacheArgs,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    options: RunOptions,
    #[arg(long, hide = true)]
    decryption_key: Vec<String>,
}

impl Args {
    /// Makes the container and prints its name.
    pub fn run(self, context: &Context) -> Result<Exit> {
        if !self.decryption_key.is_empty() {
            return refuse("decryption-key", "take an image that is not encrypted");
        }
        let talk = Talk { quiet: self.quiet };
        let cached = self.cached || Environment::flag("KILN_CACHED");
        let run = self.options.settings(&context.globals)?;
        let from = From {
            pull: self.pull.policy()?,
            platform: self.platform.wanted()?,
            image: self.image,
            name: self.name,
            format: default_format(self.format)?.unwrap_or_default(),
            run,
            cached,
            access: self.registry.access()?,
        };
        check_output(self.cidfile.as_deref())?;
        let blobs = self.blob_cache.make()?;
        let builder = context.privileged(&talk)?.keeping_blobs(blobs);
        let made = from.perform(&builder)?;
        if let Some(path) = &self.cidfile {
            write_file(path, &made.id)?;
        }
        ui::result(made.name);
        Ok(Exit::Success)
    }
}
