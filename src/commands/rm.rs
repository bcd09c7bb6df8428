//! `kiln rm`.

use builder_core::{Result, Rm, containers};

use crate::cli::Context;
use crate::commands::{for_each, named_or_all};
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Remove working containers and print their ids
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Containers, by name or id
    containers: Vec<String>,
    /// All of them
    #[arg(long, short)]
    all: bool,
}

impl Args {
    /// Removes each and prints its id.
    pub fn run(self, context: &Context) -> Result<Exit> {
        named_or_all("remove", "containers", &self.containers, self.all)?;
        let talk = Talk { quiet: true };
        let builder = context.privileged(&talk)?;
        let names = match self.all {
            true => containers(&builder)?.into_iter().map(|container| container.id).collect(),
            false => self.containers,
        };
        for_each(&names, |name| {
            ui::result(Rm { container: name.to_owned() }.perform(&builder)?);
            Ok(())
        })?;
        Ok(Exit::Success)
    }
}
