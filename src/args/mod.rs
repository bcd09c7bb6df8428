//! Argument types that several commands share.

mod compression;
mod globals;

pub use compression::{CommitCompressionArgs, CompressionArgs};
pub use globals::Globals;
