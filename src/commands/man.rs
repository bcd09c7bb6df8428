//! `kiln man`.

use std::path::PathBuf;

use builder_core::{Error, Kind, Result};

use crate::cli::{self, Context};
use crate::exit::Exit;

/// Write the manual's pages: kiln.1, and one for each verb
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory they are written into; it is made if it does not exist
    dir: PathBuf,
}

impl Args {
    /// Writes the pages; prints nothing.
    pub fn run(self, _context: &Context) -> Result<Exit> {
        // The flags of all verbs have one page, the first.
        let command = cli::command(cli::Verbs::Whole).mut_args(|arg| arg.global(false));
        let written =
            std::fs::create_dir_all(&self.dir).and_then(|()| clap_mangen::generate_to(command, &self.dir));
        written.map_err(|cause| {
            Error::new(Kind::Io, format!("cannot write the manual to `{}`", self.dir.display()))
                .because(cause)
                .hint("name a directory you may write to")
        })?;
        Ok(Exit::Success)
    }
}
