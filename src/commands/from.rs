//! `kiln from`.

use std::path::PathBuf;

use builder_core::{Error, Format, From, Policy, Result};

use crate::args::endpoint::refuse;
use crate::args::{BlobCacheArgs, PlatformArgs, RegistryArgs, RunOptions};
use crate::cli::Context;
use crate::commands::pull::parse_policy;
use crate::commands::{default_format, parse_format, write_file};
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
    /// When a registry is asked for the image: always; missing, if it is not here; newer (or true, or no value), always
    /// but the one that is here does where none can be reached; never (or false) [default: missing]
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(conflicts_with_all = ["pull_always", "pull_never"])]
    pull: Option<String>,
    /// As --pull=always
    #[arg(long, hide_short_help = true, conflicts_with = "pull_never")]
    pull_always: bool,
    /// As --pull=never
    #[arg(long, hide_short_help = true)]
    pull_never: bool,
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
        let run = self.options.settings()?;
        let from = From {
            pull: self.policy()?,
            platform: self.platform.wanted()?,
            image: self.image,
            name: self.name,
            format: default_format(self.format)?.unwrap_or_default(),
            run,
            cached,
            access: self.registry.access()?,
        };
        self.blob_cache.make()?;
        let builder = context.privileged(&talk)?;
        let made = from.perform(&builder)?;
        if let Some(path) = &self.cidfile {
            write_file(path, &made.id)?;
        }
        ui::result(made.name);
        Ok(Exit::Success)
    }

    fn policy(&self) -> Result<Policy> {
        match &self.pull {
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "" => Ok(Policy::Newer),
                "false" => Ok(Policy::Never),
                name => parse_policy(name).map_err(|cause| {
                    Error::invalid(format!("cannot use `--pull={text}`"))
                        .because(cause)
                        .hint("--pull=missing")
                }),
            },
            None if self.pull_always => Ok(Policy::Always),
            None if self.pull_never => Ok(Policy::Never),
            None => Ok(Policy::Missing),
        }
    }
}
