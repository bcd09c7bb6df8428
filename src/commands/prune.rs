//! `kiln prune`.

use builder_core::{Prune, Result};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Remove images without a name, and whatever nothing needs any more
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also images with a name that no container was made of
    #[arg(long, short)]
    all: bool,
    /// Also images that containers were made of; these containers are removed
    #[arg(long, short)]
    force: bool,
}

impl Args {
    /// Prunes and prints the ids of the images that went.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let pruned = Prune { all: self.all, force: self.force }.perform(&context.privileged(&talk)?)?;
        for id in &pruned.images {
            ui::result(id.hex());
        }
        let reclaimed = pruned.reclaimed;
        ui::remark(format_args!("removed {} trees and {} blobs", reclaimed.trees, reclaimed.blobs));
        Ok(Exit::Success)
    }
}
