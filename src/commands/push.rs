//! `kiln push`.

use std::path::PathBuf;

use builder_core::{Compression, Format, Push, Result};

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
    /// How layers that were built here are compressed
    #[arg(long, value_parser = ["gzip", "zstd"], default_value = "gzip")]
    compression_format: String,
    /// Do not compress layers that were built here
    #[arg(long, short = 'D')]
    disable_compression: bool,
    /// Write the digest of the manifest to this file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// The image's format there: oci or docker (default: oci)
    #[arg(long, short, value_parser = parse_format)]
    format: Option<Format>,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
}

impl Args {
    /// Pushes; the result is at the target.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: self.quiet };
        let compression = match (self.disable_compression, self.compression_format.as_str()) {
            (true, _) => Compression::None,
            (false, "zstd") => Compression::Zstd,
            (false, _) => Compression::Gzip,
        };
        let push = Push { image: self.image, target: self.target, compression, format: self.format };
        let digest = push.perform(&context.privileged(&talk)?)?;
        if let Some(path) = &self.digestfile {
            write_file(path, &digest.to_string())?;
        }
        Ok(Exit::Success)
    }
}
