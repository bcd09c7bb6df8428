//! `--blob-cache`, as Buildah has it.

use std::path::PathBuf;

use builder_core::{Error, Kind, Result};

/// The flag of verbs that move images.
#[derive(Debug, Default, clap::Args)]
pub struct BlobCacheArgs {
    /// A directory for compressed layers. It is made if it does not exist; Kiln's store knows itself what it has
    /// compressed, so nothing is kept there
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    blob_cache: Option<PathBuf>,
}

impl BlobCacheArgs {
    /// Makes the directory, which scripts look into.
    pub fn make(&self) -> Result<()> {
        let Some(dir) = &self.blob_cache else { return Ok(()) };
        std::fs::create_dir_all(dir).map_err(|cause| {
            Error::new(Kind::Io, format!("cannot make the directory `{}`", dir.display()))
                .because(cause)
                .hint("name another one with --blob-cache DIR, or leave it away")
        })
    }
}
