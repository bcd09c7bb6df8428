//! `kiln copy`.

use builder_core::{Result, Unpack};

use crate::args::sources::Sources;
use crate::cli::Context;
use crate::exit::Exit;

/// Copy files into a working container
///
/// Of a directory, its content is copied. Prints a digest of what was copied.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    sources: Sources,
}

impl Args {
    /// Copies and prints the digest.
    pub fn run(self, context: &Context) -> Result<Exit> {
        self.sources.run(Unpack::Nothing, context)
    }
}
