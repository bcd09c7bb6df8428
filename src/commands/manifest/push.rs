//! `kiln manifest push`.

use std::path::PathBuf;

use builder_core::{Compression, Format, ManifestPush, Result};

use crate::args::endpoint::refuse;
use crate::args::{PushCompressionArgs, RegistryArgs, parse_form};
use crate::cli::Context;
use crate::commands::image::copy::parse_manifest_type;
use crate::commands::write_file;
use crate::exit::Exit;
use crate::ui::Talk;

/// Send a list, with the images in it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The list, by name or id
    list: String,
    /// Where to: docker://HOST/NAME:TAG, oci:DIR:NAME … (default: the registry of its name)
    target: Option<String>,
    /// The images too; with false, the list alone, whose images are there already
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_default_value = true)]
    all: bool,
    #[command(flatten)]
    compression: PushCompressionArgs,
    /// Send each image with its layers in this form as well: gzip, zstd or zstd:chunked. Who can read zstd takes that
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = parse_form)]
    add_compression: Vec<Compression>,
    /// Write the digest of the list to this file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// The family of media types: oci or v2s2 (default: as they are)
    #[arg(long, short, value_name = "FORMAT", value_parser = parse_manifest_type)]
    format: Option<Format>,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
    /// Leave signatures behind
    #[arg(long)]
    remove_signatures: bool,
    /// Remove the list afterwards
    #[arg(long)]
    rm: bool,
    /// Not here: sign the images
    #[arg(long, value_name = "FINGERPRINT", hide = true)]
    sign_by: Option<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Args {
    /// Sends it.
    pub fn run(self, context: &Context) -> Result<Exit> {
        if self.sign_by.is_some() {
            return refuse("sign-by", "sign the list afterwards, with a tool that keeps the keys");
        }
        let talk = Talk { quiet: self.quiet };
        let (layers, level) = self.compression.layers()?;
        let push = ManifestPush {
            list: self.list,
            target: self.target,
            all: self.all,
            format: self.format,
            layers,
            level,
            also: self.add_compression,
            remove_signatures: self.remove_signatures,
            rm: self.rm,
            access: self.registry.access()?,
        };
        let digest = push.perform(&context.privileged(&talk)?)?;
        if let Some(path) = &self.digestfile {
            write_file(path, &digest.to_string())?;
        }
        Ok(Exit::Success)
    }
}
