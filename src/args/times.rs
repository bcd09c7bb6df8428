//! What `commit` and `build` do with times, from the same flags.

use std::path::{Path, PathBuf};

use builder_core::{Error, Kind, Result, Times};

use crate::settings::Environment;

/// The flags about times.
#[derive(Debug, clap::Args)]
pub struct TimeFlags {
    /// Date the image, and every file in its new layers, at this time (seconds since 1970)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timestamp: Option<i64>,
    /// Date the image at this time, and no file in its new layers later than it (seconds since 1970)
    /// [env: SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "SECONDS", conflicts_with = "timestamp", allow_negative_numbers = true)]
    source_date_epoch: Option<i64>,
    /// With false, files keep their times whatever --source-date-epoch says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rewrite_timestamp: Option<bool>,
    /// Date the image, and every file in its new layers, at the time this file was changed
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    #[arg(conflicts_with_all = ["timestamp", "source_date_epoch"])]
    reference_time: Option<PathBuf>,
    /// Date the image, and every file in its new layers, at the beginning of 1970
    #[arg(long, hide_short_help = true)]
    omit_timestamp: bool,
}

impl TimeFlags {
    /// Takes a time as that of --source-date-epoch, unless a flag says another.
    pub fn default_epoch(&mut self, seconds: i64) {
        if self.timestamp.is_none() && self.reference_time.is_none() && !self.omit_timestamp {
            self.source_date_epoch.get_or_insert(seconds);
        }
    }

    /// The time that --source-date-epoch or the environment names.
    pub fn epoch(&self) -> Result<Option<i64>> {
        match self.source_date_epoch {
            Some(time) => Ok(Some(time)),
            None => Environment::seconds("SOURCE_DATE_EPOCH"),
        }
    }

    /// What happens to the files' times, and the image's own.
    pub fn chosen(&self) -> Result<(Times, Option<i64>)> {
        let fixed = match &self.reference_time {
            Some(path) => Some(changed_at(path)?),
            None => self.timestamp.or(self.omit_timestamp.then_some(0)),
        };
        times(fixed, self.source_date_epoch, self.rewrite_timestamp)
    }
}

/// What happens to the files' times, and the image's own: all set to `fixed`; else none later than `epoch`
/// (without one, `SOURCE_DATE_EPOCH`), unless `rewrite` says to leave the files alone.
fn times(fixed: Option<i64>, epoch: Option<i64>, rewrite: Option<bool>) -> Result<(Times, Option<i64>)> {
    if let Some(time) = fixed {
        return Ok((Times::Set(time), Some(time)));
    }
    let epoch = match epoch {
        Some(time) => Some(time),
        None => Environment::seconds("SOURCE_DATE_EPOCH")?,
    };
    match (epoch, rewrite) {
        (Some(time), None | Some(true)) => Ok((Times::Clamp(time), Some(time))),
        (None, Some(true)) => Err(Error::invalid("cannot rewrite timestamps")
            .because("--rewrite-timestamp needs a time that no file may be later than")
            .hint("add --source-date-epoch SECONDS")),
        (epoch, _) => Ok((Times::Keep, epoch)),
    }
}

/// When a file was last changed, seconds since the epoch.
fn changed_at(path: &Path) -> Result<i64> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).map_err(|cause| {
        Error::new(Kind::Io, format!("cannot use the time of `{}`", path.display()))
            .because(cause)
            .hint("name a file that is there, or give the time itself: --timestamp SECONDS")
    })?;
    Ok(found.mtime())
}
