//! `--blob-cache`, as Buildah has it.

use std::path::PathBuf;

use builder_core::{Error, Kind, Result};

/// The flag of verbs that move images.
#[derive(Debug, Default, clap::Args)]
pub struct BlobCacheArgs {
    /// A directory that keeps the blobs of images: what is in it is neither fetched nor compressed again, also for
    /// another store. It is made if it does not exist, and only grows
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    blob_cache: Option<PathBuf>,
}

impl BlobCacheArgs {
    /// The directory, which is there then.
    pub fn make(&self) -> Result<Option<PathBuf>> {
        let Some(dir) = &self.blob_cache else { return Ok(None) };
        let made = std::fs::create_dir_all(dir).and_then(|()| std::path::absolute(dir));
        made.map(Some).map_err(|cause| {
            Error::new(Kind::Io, format!("cannot make the directory `{}`", dir.display()))
                .because(cause)
                .hint("name another one with --blob-cache DIR, or leave it away")
        })
    }
}
