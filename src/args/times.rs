//! What `commit` and `build` do with times, from the same flags.

use builder_core::{Error, Result, Times};

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
