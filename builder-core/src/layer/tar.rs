//! The tar form of a stream of entries, both ways.
//!
//! Written is one fixed form, so that the same entries give the same bytes: POSIX ustar, with a pax header only where
//! a value does not fit. Read is what is found in the world. Whiteouts are files with a name of their own here and
//! nowhere else. Formats: POSIX.1-2008 `pax`, the GNU tar manual ("Tar Internals"), and the layer page of the OCI
//! image specification for whiteouts.

mod header;
mod index;
mod members;
mod pax;
mod read;
mod scan;
mod sparse;
mod write;

pub(crate) use index::TarIndex;
pub(crate) use members::{Member, Members};
pub(crate) use read::{is_archive, read, read_archive};
pub(crate) use scan::{Passing, Scan, Watch};
pub use write::Times;
pub(crate) use write::{Profile, WRITER_VERSION, write};

/// The unit of a tar: headers and contents begin at multiples of it.
const BLOCK: usize = 512;

/// What a removed name begins with.
const WHITEOUT: &[u8] = b".wh.";

/// What the names of aufs's own files begin with; but for [`OPAQUE`] they mean nothing.
const AUFS: &[u8] = b".wh..wh.";

/// The file that makes its directory opaque.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What an attribute's name is put behind in a pax header.
const XATTR: &[u8] = b"SCHILY.xattr.";

#[cfg(test)]
mod tests;
