//! What a builder is told once: where its store is and which defaults hold. Filled by the caller from environment,
//! files and flags; the library reads none of these itself.

use std::path::PathBuf;

/// Where things are and which defaults hold.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The store's directory. Made, with mode 0700, if it does not exist.
    pub root: PathBuf,
    /// Wait for the disk at every publication instead of syncing with the next command.
    pub sync_full: bool,
    /// How containers' trees are made; none for the first way that works here.
    pub driver: Option<Driver>,
    /// A program that mounts in place of the kernel's overlay, such as fuse-overlayfs.
    pub mount_program: Option<PathBuf>,
    /// Other stores of Kiln's, whose images are used in place and never written.
    pub read_only_stores: Vec<PathBuf>,
    /// Whether an owner that cannot be set is given up, where it would be an error.
    pub ignore_chown_errors: bool,
}

/// How a container's tree is made of its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// Layers are mounted over each other, by the kernel or by a program.
    Overlay,
    /// The tree is a copy of its own.
    Vfs,
}
