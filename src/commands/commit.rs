//! `kiln commit`.

use std::path::PathBuf;

use builder_core::{Commit, Error, Format, Result, Times};

use crate::args::CommitCompressionArgs;
use crate::cli::Context;
use crate::commands::{parse_format, write_file};
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::{self, Talk};

/// Make an image of a working container
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// The image's name, or a location such as oci:DIR:NAME (default: an image without a name)
    image: Option<String>,
    /// The image's format: oci or docker (default: as the container was made with)
    #[arg(long, short, value_parser = parse_format)]
    format: Option<Format>,
    #[command(flatten)]
    compression: CommitCompressionArgs,
    /// Write the image id to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Do not tell what is written
    #[arg(long, short)]
    quiet: bool,
    /// Remove the container afterwards
    #[arg(long)]
    rm: bool,
    /// One layer with everything in it, the base's layers included
    #[arg(long)]
    squash: bool,
    /// Date the image, and every file in the new layer, at this time (seconds since 1970)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timestamp: Option<i64>,
    /// Date the image at this time, and no file in the new layer later than it (seconds since 1970)
    /// [env: SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "SECONDS", conflicts_with = "timestamp", allow_negative_numbers = true)]
    source_date_epoch: Option<i64>,
    /// With false, files keep their times whatever --source-date-epoch says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rewrite_timestamp: Option<bool>,
}

impl Args {
    /// Commits, and prints the image id unless it went to a file.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: self.quiet };
        let (times, created) = self.times()?;
        let builder = context.privileged(&talk)?;
        let commit = Commit {
            container: self.container,
            image: self.image,
            format: self.format,
            squash: self.squash,
            times,
            created,
            compression: self.compression.chosen(),
            rm: self.rm,
            omit_empty: false,
        };
        let made = commit.perform(&builder)?;
        match &self.iidfile {
            Some(path) => write_file(path, &made.id.to_string())?,
            None => ui::result(made.id.hex()),
        }
        Ok(Exit::Success)
    }

    /// What happens to the files' times, and the image's own.
    fn times(&self) -> Result<(Times, Option<i64>)> {
        if let Some(time) = self.timestamp {
            return Ok((Times::Set(time), Some(time)));
        }
        let epoch = match self.source_date_epoch {
            Some(time) => Some(time),
            None => Environment::seconds("SOURCE_DATE_EPOCH")?,
        };
        match (epoch, self.rewrite_timestamp) {
            (Some(time), None | Some(true)) => Ok((Times::Clamp(time), Some(time))),
            (None, Some(true)) => Err(Error::invalid("cannot rewrite timestamps")
                .because("--rewrite-timestamp needs a time that no file may be later than")
                .hint("add --source-date-epoch SECONDS")),
            (epoch, _) => Ok((Times::Keep, epoch)),
        }
    }
}
