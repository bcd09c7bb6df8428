//! The data model: digests, descriptors, manifests, image configs and the edits made to them. Pure data, no files.

mod config;
mod digest;
mod edit;
mod manifest;
mod platform;

pub use config::{ContainerDefaults, Healthcheck, History, ImageConfig, RootFs, host_architecture};
pub use digest::Digest;
pub(crate) use digest::Hasher;
pub use edit::{ConfigEdit, Draft};
pub use manifest::{Descriptor, Format, Index, Manifest, Platform, media_type};
pub(crate) use manifest::{MAX_MANIFEST, is_index};
pub use platform::Wanted;
pub(crate) use platform::choose;

#[cfg(test)]
mod tests;
