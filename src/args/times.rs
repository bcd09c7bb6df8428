//! What `commit` and `build` do with times, from the same flags.

use builder_core::{Error, Kind, Result, Times};

use crate::settings::Environment;

/// What happens to the files' times, and the image's own: all set to `fixed`; else none later than `epoch`
/// (without one, `SOURCE_DATE_EPOCH`), unless `rewrite` says to leave the files alone.
pub fn times(fixed: Option<i64>, epoch: Option<i64>, rewrite: Option<bool>) -> Result<(Times, Option<i64>)> {
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
pub fn changed_at(path: &std::path::Path) -> Result<i64> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).map_err(|cause| {
        Error::new(Kind::Io, format!("cannot use the time of `{}`", path.display()))
            .because(cause)
            .hint("name a file that is there, or give the time itself: --timestamp SECONDS")
    })?;
    Ok(found.mtime())
}
