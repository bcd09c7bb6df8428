//! `du`: where the room on the disk went.

use crate::builder::Builder;
use crate::error::Result;
use crate::store::Usage;

/// Counts what everything in the store takes.
pub fn du(builder: &Builder<'_>) -> Result<Usage> {
    builder.store.usage()
}
