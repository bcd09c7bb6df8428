//! How layers that were built here are compressed on their way out of the store.

use builder_core::{Compression, Error, Layers, Result};

use crate::settings;

/// The flags of `push`, which compresses unless told not to.
#[derive(Debug, clap::Args)]
pub struct PushCompressionArgs {
    /// How layers are compressed: gzip, zstd or zstd:chunked (default: compression_format of containers.conf, else gzip
    /// for those that are not compressed yet)
    #[arg(long, value_parser = parse_form, value_name = "FORMAT")]
    compression_format: Option<Compression>,
    /// The level of compression: gzip 0 to 9, zstd 1 to 22 (default: compression_level of containers.conf, else gzip 5,
    /// zstd 3)
    #[arg(long = "compression-level", value_name = "LEVEL")]
    level: Option<i32>,
    /// Also compress again what the target has in another compressed form (default: true if --compression-format is
    /// given)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force_compression: Option<bool>,
}

impl PushCompressionArgs {
    /// What the flags ask for, else containers.conf: the form, and the level if one is asked for.
    pub fn layers(&self) -> Result<(Layers, Option<i32>)> {
        let engine = settings::engine()?;
        let usual = engine.compression_format.as_deref().filter(|name| !name.is_empty());
        let usual = usual.map(|name| {
            parse_form(name).map_err(|why| settings::bad_engine_key("compression_format", name, why))
        });
        let layers = match (self.compression_format, usual.transpose()?, self.force_compression) {
            // To ask for a form is to ask for it in any case.
            (Some(form), _, force) => Layers::Form(form, force.unwrap_or(true)),
            (None, Some(form), force) => Layers::Form(form, force == Some(true)),
            (None, None, Some(true)) => Layers::Form(Compression::Gzip, true),
            (None, None, _) => Layers::Compressed,
        };
        let zstd = matches!(layers, Layers::Form(Compression::Zstd | Compression::ZstdChunked, _));
        check_level(self.level, zstd)?;
        let level = match (self.level, engine.compression_level) {
            (None, Some(usual)) => {
                let level = i32::try_from(usual).ok().filter(|level| check_level(Some(*level), zstd).is_ok());
                let refuse = || {
                    let why = format!("{} has no such level", if zstd { "zstd" } else { "gzip" });
                    settings::bad_engine_key("compression_level", &usual.to_string(), why)
                };
                Some(level.ok_or_else(refuse)?)
            }
            (given, _) => given,
        };
        Ok((layers, level))
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

/// A form that layers are compressed in, by its name.
pub fn parse_form(text: &str) -> std::result::Result<Compression, String> {
    match text {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        "zstd:chunked" => Ok(Compression::ZstdChunked),
        _ => Err("write `gzip`, `zstd` or `zstd:chunked`".to_owned()),
    }
}

/// The flags of `commit`, which does not compress unless told to, as Buildah has it.
#[derive(Debug, clap::Args)]
pub struct CommitCompressionArgs {
    /// Compress the new layer outside the store: gzip, zstd or zstd:chunked
    #[arg(long, value_parser = parse_form, value_name = "FORMAT")]
    compression_format: Option<Compression>,
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
        let form = self.compression_format;
        match self.disable_compression.unwrap_or(form.is_none()) {
            true => Compression::None,
            false => form.unwrap_or(Compression::Gzip),
        }
    }

    /// What the flags ask for, if any of them is given.
    pub fn asked(&self) -> Option<Compression> {
        let is_asked = self.compression_format.is_some() || self.disable_compression.is_some();
        is_asked.then(|| self.chosen())
    }

    /// The level asked for, if the form has it.
    pub fn level(&self) -> Result<Option<i32>> {
        check_level(self.compression_level, is_zstd(self.compression_format)).map(|()| self.compression_level)
    }
}

fn is_zstd(form: Option<Compression>) -> bool {
    matches!(form, Some(Compression::Zstd | Compression::ZstdChunked))
}
