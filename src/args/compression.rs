//! How layers that were built here are compressed on their way out of the store.

use builder_core::Compression;

/// The flags of `push` and `commit`.
#[derive(Debug, clap::Args)]
pub struct CompressionArgs {
    /// How layers that were built here are compressed outside the store: gzip or zstd
    #[arg(long, value_parser = ["gzip", "zstd"], default_value = "gzip", hide_possible_values = true)]
    compression_format: String,
    /// Do not compress layers that were built here
    #[arg(long, short = 'D')]
    disable_compression: bool,
}

impl CompressionArgs {
    /// What the flags ask for.
    pub fn chosen(&self) -> Compression {
        match (self.disable_compression, self.compression_format.as_str()) {
            (true, _) => Compression::None,
            (false, "zstd") => Compression::Zstd,
            (false, _) => Compression::Gzip,
        }
    }
}
