//! When the image, and what is in it, says it was made.

use std::path::PathBuf;

use builder_core::{Result, Times};

use crate::args::times::{changed_at, times};
use crate::settings::Environment;

/// The flags about times.
#[derive(Debug, clap::Args)]
pub struct TimeFlags {
    /// Date the image, and every file in its layers, at this time (seconds since 1970)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timestamp: Option<i64>,
    /// Date the image at this time, and no file in its layers later than it (seconds since 1970)
    /// [env: SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "SECONDS", conflicts_with = "timestamp", allow_negative_numbers = true)]
    source_date_epoch: Option<i64>,
    /// With false, files keep their times whatever --source-date-epoch says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rewrite_timestamp: Option<bool>,
    /// Date the image, and every file in its layers, at the time this file was changed
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    #[arg(conflicts_with_all = ["timestamp", "source_date_epoch"])]
    reference_time: Option<PathBuf>,
    /// Date the image, and every file in its layers, at the beginning of 1970
    #[arg(long, hide_short_help = true)]
    omit_timestamp: bool,
}

impl TimeFlags {
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
