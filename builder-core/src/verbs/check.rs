//! `check`: what is damaged in the store, and what can be mended.

use crate::builder::Builder;
use crate::error::Result;
use crate::store::{CheckOptions, CheckReport};

/// Looks at everything in the store, and mends it where that is asked for.
pub fn check(builder: &Builder<'_>, options: CheckOptions) -> Result<CheckReport> {
    builder.store.check(options)
}
