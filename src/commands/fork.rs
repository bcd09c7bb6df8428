//! `kiln fork`.

use builder_core::{Fork, Result};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Make another container that begins where a cached one is, or was
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// Begin after this step of it, by its number in `kiln log`; 0 is before the first (default: after the last)
    #[arg(long, value_name = "N")]
    at: Option<usize>,
    /// The new container's name (default: the old one's, with -1, -2 … after it)
    #[arg(long)]
    name: Option<String>,
}

impl Args {
    /// Makes it and prints its name.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let fork = Fork { container: self.container, at: self.at, name: self.name };
        ui::result(fork.perform(&context.privileged(&talk)?)?.name);
        Ok(Exit::Success)
    }
}
