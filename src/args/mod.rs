//! Argument types that several commands share.

mod compression;

pub use compression::{CommitCompressionArgs, CompressionArgs};
