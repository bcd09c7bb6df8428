//! What people type: image names with tag and digest, locations with a transport in front.

mod daemon_image;
mod hub;
mod location;
mod reference;
mod registries;
mod short_name;

pub use daemon_image::DaemonImage;
pub(crate) use hub::{api_host, hub, hub_alias, is_hub};
pub use location::{Location, Pick};
pub use reference::Reference;
pub(crate) use registries::{Endpoint, Registries};
pub(crate) use short_name::{Ask, Meant, resolve, with_alias};

#[cfg(test)]
mod tests;
