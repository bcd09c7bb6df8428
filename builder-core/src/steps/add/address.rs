//! Files from `http://` and `https://` addresses.

use std::path::Path;

use super::{Fetch, Fetched};
use crate::error::{Error, Kind, Result};

/// Whether `source` is an address.
pub(super) fn is_address(source: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| source.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Fetches the file at `source` into the directory `dir`, under the last part of its path.
pub(super) fn fetch(source: &str, _checksum: Option<&str>, _how: &Fetch, _dir: &Path) -> Result<Fetched> {
    Err(Error::new(Kind::Unsupported, format!("cannot fetch `{source}`")))
}
