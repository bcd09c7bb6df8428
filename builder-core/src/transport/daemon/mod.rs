//! Docker's daemon as a place of images, by its API (Docker Engine API 1.41, "Image"): `docker-daemon:NAME:TAG`.
//!
//! It gives and takes archives as `docker save` writes them, over one line and from the beginning to the end. Neither
//! way is the archive ever in a file: what comes is sent on while it comes, and what goes is made while it goes.

mod client;
mod host;
mod sink;
mod source;
mod survey;

pub(crate) use client::Daemon;
pub(crate) use sink::DaemonSink;
pub(crate) use source::DaemonSource;

#[cfg(test)]
mod tests;
