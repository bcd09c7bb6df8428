//! Moving images between places: the store, the machine's containers-storage, OCI layouts, archives, directories,
//! registries, daemons.
//!
//! A place is a [`Source`] or a [`Sink`]; [`copy_image`] is the one engine for all pairs. Layers that are a tree are
//! written, compressed and digested in one pass; layers that are a blob move byte for byte unless another form was
//! asked for.

mod ahead;
pub(crate) mod archive;
mod blob_cache;
mod blobs;
pub(crate) mod containers_storage;
pub(crate) mod convert;
pub(crate) mod copy;
pub(crate) mod daemon;
pub(crate) mod directory;
pub(crate) mod files;
mod fresh;
pub(crate) mod http;
pub(crate) mod layout;
mod local;
pub(crate) mod open;
pub(crate) mod policy;
pub(crate) mod registry;
mod sink;
pub(crate) mod source;
mod turn;
pub(crate) mod unfinished;

pub(crate) use blob_cache::BlobCache;
pub(crate) use convert::{Others, Recompress};
pub use copy::Which;
pub(crate) use copy::{CopyOptions, add_image, copy_image};
pub(crate) use fresh::send_layer;
pub use http::Retry;
pub(crate) use local::{StoreSink, StoreSource};
pub(crate) use open::Places;

pub use registry::Access;
pub(crate) use sink::{Sink, Wants};
pub(crate) use source::Source;
