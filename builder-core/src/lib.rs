//! Kiln's library: named working containers over copy-on-write layers, and the images made from them.
//!
//! The modules are private; what is re-exported here is the whole public API. Inside the crate a module uses only
//! those to its left: `sys · error event settings · oci name · tree · layer · host · store · transport · rootfs ·
//! sandbox · builder · steps · verbs`. The library never prints, never reads the environment or the home directory,
//! and starts no thread before namespaces are set up.

mod builder;
mod error;
mod event;
mod host;
mod layer;
mod name;
mod oci;
mod rootfs;
mod sandbox;
mod settings;
mod steps;
mod store;
mod sys;
#[cfg(test)]
mod testing;
mod transport;
mod tree;
mod verbs;

pub use error::{Error, Kind, Result};
pub use event::{Event, Reporter, Silent};
