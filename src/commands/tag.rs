//! `kiln tag`.

use builder_core::{Result, Tag};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::Talk;

/// Give an image more names
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, by name or id
    image: String,
    /// The new names; one that another image has moves
    #[arg(required = true)]
    names: Vec<String>,
}

impl Args {
    /// Adds the names; prints nothing.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        Tag { image: self.image, names: self.names }.perform(&context.builder(&talk)?)?;
        Ok(Exit::Success)
    }
}
