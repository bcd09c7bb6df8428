//! `kiln pull`.

use builder_core::{Pull, Result};

use crate::args::RegistryArgs;
use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Bring an image into the store and print its id
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it is: oci:DIR[:NAME]
    image: String,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
}

impl Args {
    /// Pulls and prints the image id.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: self.quiet };
        let pulled = Pull { source: self.image, access: self.registry.access()? }
            .perform(&context.privileged(&talk)?)?;
        ui::result(pulled.id.hex());
        Ok(Exit::Success)
    }
}
