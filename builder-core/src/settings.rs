//! What a builder is told once: where its store is and which defaults hold. Filled by the caller from environment,
//! files and flags; the library reads none of these itself.

use std::path::PathBuf;

/// Where things are and which defaults hold.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store's directory. Made, with mode 0700, if it does not exist.
    pub root: PathBuf,
    /// Wait for the disk at every publication instead of syncing with the next command.
    pub sync_full: bool,
}
