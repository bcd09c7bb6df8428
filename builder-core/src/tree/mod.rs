//! Files in motion: a capability to one directory tree ([`Root`]), and streams of [`Entry`] between trees.
//!
//! Here live walking, applying, merging and the adapters between, which names a pattern means, and who a user name is
//! inside a tree. Tar, whiteout file names and compression do not: they are `layer`'s.

pub(crate) mod adapters;
mod apply;
mod content;
mod entry;
pub(crate) mod fingerprint;
pub(crate) mod ignore;
mod links;
mod marks;
mod merge;
mod owners;
pub(crate) mod pattern;
mod remove;
mod resolve;
mod root;
mod shuffle;
mod stamp;
mod survey;
mod twin;
pub(crate) mod users;
mod walk;

pub(crate) use apply::{Apply, Devices, Options, Stats};
pub(crate) use content::Opened;
pub(crate) use entry::{Content, Device, Entry, Meta, Node, Xattrs};
pub use entry::{RelPath, Timestamp};
pub use ignore::Ignored;
pub(crate) use marks::Marks;
pub(crate) use merge::{Finder, Stack};
pub(crate) use owners::give_up_owners;
pub use root::Root;
pub(crate) use shuffle::shuffle;
pub(crate) use stamp::{Stamp, has_change_times};
pub(crate) use survey::{Changes, Survey};
pub(crate) use twin::{copy_tree, twin, twin_of_extents};
pub(crate) use walk::{
    attributes_of, entry_at, is_carried, meta_of, plain_capability, walk, walk_lazily, whole_entry_at,
};
