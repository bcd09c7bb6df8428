//! `kiln prune`.

use std::time::{Duration, SystemTime};

use builder_core::{Error, Keep, Prune, Result, parse_size};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Remove images without a name, and whatever nothing needs any more
///
/// Recorded steps of cached containers, and what commands keep with --mount type=cache, stay unless a flag says
/// otherwise. Builds go whole, those first that were repeated last the longest ago.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also images with a name that no container was made of; and all recorded steps and caches, unless --max-size or
    /// --keep-since says which of them stay
    #[arg(long, short)]
    all: bool,
    /// Also images that containers were made of; these containers are removed
    #[arg(long, short)]
    force: bool,
    /// Also steps and caches that no build since then used: a time such as 2026-01-31, or how long ago, such as 36h, 7d
    #[arg(long, value_name = "TIME")]
    keep_since: Option<String>,
    /// Also steps and caches until the whole store takes no more than this, such as 20G
    #[arg(long, value_name = "SIZE")]
    max_size: Option<String>,
}

impl Args {
    /// Prunes and prints the ids of the images that went.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let keep = Keep {
            since: self.keep_since.as_deref().map(since).transpose()?,
            max_size: self.max_size.as_deref().map(size).transpose()?,
        };
        let prune = Prune { all: self.all, force: self.force, keep };
        let pruned = prune.perform(&context.privileged(&talk)?)?;
        for id in &pruned.images {
            ui::result(id.hex());
        }
        let forgotten = pruned.forgotten;
        if forgotten.steps > 0 || forgotten.cache_mounts > 0 {
            let (steps, caches) = (forgotten.steps, forgotten.cache_mounts);
            ui::remark(format_args!("forgot {steps} steps and {caches} cache mounts"));
        }
        let reclaimed = forgotten.reclaimed;
        ui::remark(format_args!("removed {} trees and {} blobs", reclaimed.trees, reclaimed.blobs));
        Ok(Exit::Success)
    }
}

fn size(text: &str) -> Result<u64> {
    parse_size(text).ok_or_else(|| {
        Error::invalid(format!("cannot prune to `{text}`"))
            .because("it is no size")
            .hint("give bytes, or a number with k, m, g or t: --max-size 20G")
    })
}

/// A date, a date and time, or a number of seconds, minutes, hours, days or weeks ago.
fn since(text: &str) -> Result<SystemTime> {
    let refused = || {
        Error::invalid(format!("cannot prune what was used before `{text}`"))
            .because("it is neither a time nor a duration")
            .hint("give a date, or how long ago: --keep-since 2026-01-31, --keep-since 36h")
    };
    let unit = |letter| match letter {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        'w' => Some(604_800),
        _ => None,
    };
    let end = text.char_indices().next_back().and_then(|(end, letter)| Some((end, unit(letter)?)));
    if let Some((end, unit)) = end {
        let number: u64 = text[..end].parse().map_err(|_| refused())?;
        let ago = number.checked_mul(unit).map(Duration::from_secs).ok_or_else(refused)?;
        return SystemTime::now().checked_sub(ago).ok_or_else(refused);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.into());
    }
    let time = text.parse::<jiff::civil::DateTime>().map_err(|_| refused())?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| refused())?;
    Ok(zoned.timestamp().into())
}
