//! `kiln undo`.

use builder_core::{Result, Undo};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Take a cached container back by some steps
///
/// What was changed by hand since the last step counts as one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// How many steps
    #[arg(default_value_t = 1, value_name = "N")]
    steps: usize,
}

impl Args {
    /// Prints the steps that are undone, the last one first.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let undo = Undo { container: self.container, steps: self.steps };
        for line in undo.perform(&context.privileged(&talk)?)? {
            ui::result(line);
        }
        Ok(Exit::Success)
    }
}
