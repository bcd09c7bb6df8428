//! Layers in motion: tar streams and directory trees made from each other.
//!
//! Here live the tar form of a stream of entries, whiteout file names, the difference to a base, compression and
//! hashing while bytes go by. Where layers are kept, and under which names, does not: that is `store`'s.

mod checked;
mod compress;
mod diff;
mod digest;
mod pieces;
mod pipe;
pub(crate) mod tar;
mod unpack;

pub(crate) use checked::Checked;
pub use compress::Compression;
pub(crate) use compress::{Encoder, TABLE_DIGEST, decode};
pub(crate) use diff::diff;
pub(crate) use digest::Digesting;
pub(crate) use pieces::Pieces;
pub(crate) use pipe::{Inlet, Outlet, pipe, pour};
pub use tar::Times;
pub(crate) use unpack::unpack;
