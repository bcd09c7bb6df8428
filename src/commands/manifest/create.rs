//! `kiln manifest create`.

use builder_core::{Existing, ManifestCreate, Result};

use super::annotations;
use crate::args::RegistryArgs;
use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Make a list, of images perhaps, and print its id
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The list's name
    list: String,
    /// Images to put into it: names in the store or in a registry, or locations such as docker://HOST/NAME
    images: Vec<String>,
    /// Of an image that is a list itself, take all of its images
    #[arg(long)]
    all: bool,
    /// Add to a list that has the name
    #[arg(long, short)]
    amend: bool,
    /// Take the name from a list that has it
    #[arg(long, short, conflicts_with = "amend")]
    replace: bool,
    /// A remark on the list
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Args {
    /// Makes it.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let existing = match (self.amend, self.replace) {
            (true, _) => Existing::Amend,
            (_, true) => Existing::Replace,
            _ => Existing::Refuse,
        };
        let create = ManifestCreate {
            name: self.list,
            images: self.images,
            all: self.all,
            existing,
            annotations: annotations(&self.annotation)?,
            access: self.registry.access()?,
        };
        ui::result(create.perform(&context.privileged(&talk)?)?.hex());
        Ok(Exit::Success)
    }
}
