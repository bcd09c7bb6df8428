//! How layers that were built here are compressed on their way out of the store.

use builder_core::{Compression, Error, Layers, Result};

/// The flags of `push`, which compresses unless told not to.
#[derive(Debug, clap::Args)]
pub struct PushCompressionArgs {
    /// How layers are compressed that are not yet: gzip or zstd (default: gzip)
    #[arg(long, value_parser = parse_form, value_name = "FORMAT")]
    compression_format: Option<Compression>,
    /// The level of compression: gzip 0 to 9, zstd 1 to 22 (default: gzip 5, zstd 3)
    #[arg(long = "compression-level", value_name = "LEVEL")]
    pub level: Option<i32>,
    /// Compress layers again that have another form than --compression-format
    #[arg(long)]
    force_compression: bool,
}

impl PushCompressionArgs {
    /// What the flags ask for.
    pub fn layers(&self) -> Result<Layers> {
        check_level(self.level, self.compression_format == Some(Compression::Zstd))?;
        match (self.compression_format, self.force_compression) {
            (Some(form), force) => Ok(Layers::Form(form, force)),
            (None, true) => Ok(Layers::Form(Compression::Gzip, true)),
            (None, false) => Ok(Layers::Compressed),
        }
    }
}

fn check_level(level: Option<i32>, zstd: bool) -> Result<()> {
    let (name, most) = if zstd { ("zstd", 22) } else { ("gzip", 9) };
    match level {
        Some(level) if !(0..=most).contains(&level) => {
            Err(Error::invalid(format!("cannot compress at level {level}"))
                .hint(format!("{name} has levels up to {most}")))
        }
        _ => Ok(()),
    }
}

fn parse_form(text: &str) -> std::result::Result<Compression, String> {
    match text {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        "zstd:chunked" => Err("zstd with a table of contents is not written here; write `zstd`".to_owned()),
        _ => Err("write `gzip` or `zstd`".to_owned()),
    }
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
    /// The level of compression: gzip 0 to 9, zstd 1 to 22 (default: gzip 5, zstd 3)
    #[arg(long, value_name = "LEVEL")]
    compression_level: Option<i32>,
    /// Compress layers of the base again that have another form than --compression-format
    #[arg(long, requires = "compression_format")]
    pub force_compression: bool,
}

impl CommitCompressionArgs {
    /// What the flags ask for; to name a format is to ask for it.
    pub fn chosen(&self) -> Compression {
        let format = self.compression_format.as_deref();
        choose(self.disable_compression.unwrap_or(format.is_none()), format)
    }

    /// What the flags ask for, if any of them is given.
    pub fn asked(&self) -> Option<Compression> {
        let is_asked = self.compression_format.is_some() || self.disable_compression.is_some();
        is_asked.then(|| self.chosen())
    }

    /// The level asked for, if the form has it.
    pub fn level(&self) -> Result<Option<i32>> {
        let zstd = self.compression_format.as_deref() == Some("zstd");
        check_level(self.compression_level, zstd).map(|()| self.compression_level)
    }
}

fn choose(disabled: bool, format: Option<&str>) -> Compression {
    match format {
        _ if disabled => Compression::None,
        Some("zstd") => Compression::Zstd,
        _ => Compression::Gzip,
    }
}
