//! Images in tar archives: what `docker save` writes, and OCI layouts in a tar.
//!
//! An archive is read in place, by an index of its entries, and never unpacked. It is written in one pass into a file
//! that gets its name when it is whole.

mod docker_read;
mod docker_write;
mod layout_write;
mod legacy;
mod read;
mod sink;
mod write;

pub(crate) use docker_read::{DockerArchiveSource, Item as DockerItem, items as docker_items};
pub(crate) use docker_write::DockerArchiveSink;
pub(crate) use layout_write::LayoutArchiveSink;
pub(crate) use read::{ArchiveFiles, Kept};
pub(crate) use write::{BLOCK, Output, header};

#[cfg(test)]
mod tests;
