//! What people type: image names with tag and digest, locations with a transport in front.

mod location;
mod reference;

pub use location::{Location, Pick};
pub use reference::Reference;

#[cfg(test)]
mod tests;
