//! `kiln push`.

use std::path::PathBuf;

use builder_core::{Format, Push, Result};

use crate::args::{CompressionArgs, RegistryArgs};
use crate::cli::Context;
use crate::commands::{parse_format, write_file};
use crate::exit::Exit;
use crate::ui::Talk;

/// Take an image out of the store
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, by name or id
    image: String,
    /// Where to: oci:DIR[:NAME]
    target: String,
    #[command(flatten)]
    compression: CompressionArgs,
    /// Write the digest of the manifest to this file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// The image's format there: oci or docker (default: oci)
    #[arg(long, short, value_parser = parse_format)]
    format: Option<Format>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
}

impl Args {
    /// Pushes; the result is at the target.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: self.quiet };
        let push = Push {
            image: self.image,
            target: self.target,
            compression: self.compression.chosen(),
            format: self.format,
            access: self.registry.access()?,
        };
        let digest = push.perform(&context.privileged(&talk)?)?;
        if let Some(path) = &self.digestfile {
            write_file(path, &digest.to_string())?;
        }
        Ok(Exit::Success)
    }
}
