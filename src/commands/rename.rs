//! `kiln rename`.

use builder_core::{Rename, Result};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::Talk;

/// Give a working container another name
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// Its new name
    name: String,
}

impl Args {
    /// Renames it; prints nothing.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        Rename { container: self.container, name: self.name }.perform(&context.builder(&talk)?)?;
        Ok(Exit::Success)
    }
}
