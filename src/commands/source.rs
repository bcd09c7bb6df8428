//! `kiln source`: source images, which carry what an image was built from.

use std::path::PathBuf;

use builder_core::{Reference, Result, SourceImage};

use crate::args::{RegistryArgs, parse_bool};
use crate::cli::Context;
use crate::commands::manifest::annotations;
use crate::commands::write_file;
use crate::exit::Exit;
use crate::settings;
use crate::ui::Talk;

/// Make source images, which carry what an image was built from, and move them
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a source image without artifacts
    Create {
        /// The directory it gets, which must not exist
        dir: PathBuf,
        /// Who made it
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
        /// Write the time into it
        #[arg(long, value_name = "BOOL", value_parser = parse_bool, default_value = "true")]
        #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        time_stamp: bool,
    },
    /// Add an artifact as a layer
    Add {
        /// The directory of the source image
        dir: PathBuf,
        /// A file, or a directory; a tar stays as it is, all else becomes one, compressed with gzip
        artifact: PathBuf,
        /// Say this of the artifact
        #[arg(long, value_name = "KEY=VALUE")]
        annotation: Vec<String>,
    },
    /// Send a source image to a registry
    Push {
        /// The directory of the source image
        dir: PathBuf,
        /// Where to: HOST/NAME:TAG
        target: String,
        /// Write the digest of the manifest to this file
        #[arg(long, value_name = "FILE")]
        digestfile: Option<PathBuf>,
        /// Do not tell what is copied
        #[arg(long, short)]
        quiet: bool,
        #[command(flatten)]
        registry: Box<RegistryArgs>,
    },
    /// Fetch a source image from a registry
    Pull {
        /// The image: HOST/NAME:TAG
        source: String,
        /// The directory it gets, which must not exist
        dir: PathBuf,
        /// Do not tell what is copied
        #[arg(long, short)]
        quiet: bool,
        #[command(flatten)]
        registry: Box<RegistryArgs>,
    },
}

impl Args {
    /// Does what its own verb says; nothing is printed.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let registries = || settings::registries(&context.globals);
        match self.verb {
            Verb::Create { dir, author, time_stamp } => {
                SourceImage { dir }.create(author.as_deref(), time_stamp)?;
            }
            Verb::Add { dir, artifact, annotation } => {
                SourceImage { dir }.add(&artifact, annotations(&annotation)?)?;
            }
            Verb::Push { dir, target, digestfile, quiet, registry } => {
                let (target, source) = (on_registry(&target)?, SourceImage { dir });
                let digest = source.push(&target, &registries(), &registry.access()?, &Talk { quiet })?;
                if let Some(path) = digestfile {
                    write_file(&path, &digest.to_string())?;
                }
            }
            Verb::Pull { source, dir, quiet, registry } => {
                let source = on_registry(&source)?;
                SourceImage { dir }.pull(&source, &registries(), &registry.access()?, &Talk { quiet })?;
            }
        }
        Ok(Exit::Success)
    }
}

/// A name on a registry, with `docker://` before it or without.
fn on_registry(text: &str) -> Result<Reference> {
    Reference::on_registry(text.strip_prefix("docker://").unwrap_or(text))
}
