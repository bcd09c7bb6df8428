//! Argument types that several commands share.

mod compression;
mod run_options;

pub use compression::{CommitCompressionArgs, CompressionArgs};
pub use run_options::{RunOptions, proxies};
