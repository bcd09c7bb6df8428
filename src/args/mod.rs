//! Argument types that several commands share.

mod blob_cache;
pub mod change;
mod compression;
pub mod endpoint;
mod globals;
pub mod list;
mod platform;
mod pull;
pub mod refused;
mod registry;
pub mod run_defaults;
mod run_options;
mod secrets;
pub mod signing;
pub mod sources;
pub mod times;

use std::path::PathBuf;
use std::time::Duration;

use builder_core::{Error, Kind, Result};

pub use blob_cache::BlobCacheArgs;
pub use compression::{CommitCompressionArgs, PushCompressionArgs, parse_form};
pub use globals::Globals;
pub use platform::PlatformArgs;
pub use pull::{PullArgs, usual_policy};
pub use registry::{RegistryArgs, parse_bool};
pub use run_options::{RunOptions, proxies};
pub use secrets::secrets;

/// A time as Go writes it: `500ms`, `2s`, `1m30s`.
pub fn duration(text: &str) -> std::result::Result<Duration, String> {
    let nanoseconds = dockerfile_frontend::nanoseconds(text);
    nanoseconds
        .map(Duration::from_nanos)
        .ok_or_else(|| "a duration is a number and a unit: 500ms, 2s, 1m30s".to_owned())
}

/// Where relative paths begin.
pub fn current_dir() -> Result<PathBuf> {
    std::env::current_dir()
        .map_err(|cause| Error::new(Kind::Io, "cannot find the current directory").because(cause))
}
