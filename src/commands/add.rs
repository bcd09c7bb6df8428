//! `kiln add`.

use builder_core::{Result, Unpack};

use crate::args::sources::Sources;
use crate::cli::Context;
use crate::exit::Exit;

/// Copy files into a working container, and unpack archives
///
/// A file that is a tar, plain or compressed with gzip, zstd, bzip2 or xz, is unpacked into the destination, whatever
/// it is called; its entries keep their owners and modes. One fetched from an address is not, unless --unpack says so.
/// Prints a digest of what was added.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Unpack also what is fetched; =false unpacks nothing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    unpack: Option<bool>,
}

impl Args {
    /// Adds and prints the digest.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let unpack = match self.unpack {
            None => Unpack::Files,
            Some(true) => Unpack::All,
            Some(false) => Unpack::Nothing,
        };
        self.sources.run(unpack, context)
    }
}
