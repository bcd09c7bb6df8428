//! Registries: the OCI distribution specification 1.1 and Docker's API before it, as a place images come from and go
//! to.
//!
//! A [`Gateway`] knows what configuration and command line say of registries; it hands out [`Repository`]s, which speak
//! to one [`server`]. Credentials go to the server they belong to and to its own token service, nowhere else.

mod access;
mod answer;
mod challenge;
mod gateway;
mod lookaside;
mod referrers;
mod repository;
mod server;
mod sink;
mod source;
mod token;
mod upload;

pub use access::Access;
pub(crate) use gateway::{Action, Gateway, read_file};
pub(crate) use repository::Repository;
pub(crate) use sink::RegistrySink;
pub(crate) use source::RegistrySource;

#[cfg(test)]
mod tests;
