//! How layers that were built here are compressed on their way out of the store.

use builder_core::Compression;

/// The flags of `push`, which compresses unless told not to.
#[derive(Debug, clap::Args)]
pub struct CompressionArgs {
    /// How layers that were built here are compressed: gzip or zstd (default: gzip)
    #[arg(long, value_parser = ["gzip", "zstd"], hide_possible_values = true, value_name = "FORMAT")]
    compression_format: Option<String>,
    /// Do not compress layers that were built here
    #[arg(long, short = 'D', value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_compression: Option<bool>,
}

/// The flags of `commit`, which does not compress unless told to, as Buildah has it.
#[derive(Debug, clap::Args)]
pub struct CommitCompressionArgs {
    /// Compress the new layer outside the store: gzip or zstd
    #[arg(long, value_parser = ["gzip", "zstd"], hide_possible_values = true, value_name = "FORMAT")]
    compression_format: Option<String>,
    /// With false, compress the new layer outside the store, with gzip unless --compression-format says otherwise
    #[arg(long, short = 'D', value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_compression: Option<bool>,
}

impl CompressionArgs {
    /// What the flags ask for.
    pub fn chosen(&self) -> Compression {
        choose(self.disable_compression.unwrap_or(false), self.compression_format.as_deref())
    }
}

impl CommitCompressionArgs {
    /// What the flags ask for; to name a format is to ask for it.
    pub fn chosen(&self) -> Compression {
        let format = self.compression_format.as_deref();
        choose(self.disable_compression.unwrap_or(format.is_none()), format)
    }
}

fn choose(disabled: bool, format: Option<&str>) -> Compression {
    match format {
        _ if disabled => Compression::None,
        Some("zstd") => Compression::Zstd,
        _ => Compression::Gzip,
    }
}
