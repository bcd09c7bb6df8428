//! A small blocking HTTP client over `ureq` and `rustls`: addresses, TLS options, proxies, redirects that carry no
//! credentials to another host, retries, and downloads that go on where they were cut.
//!
//! What a status means, and who may see which credentials, is the caller's business. Certificates of the system are
//! read only when the first TLS connection is made.

mod chunks;
mod client;
mod download;
mod failure;
mod forward;
mod proxy;
mod resolve;
mod retry;
mod socket;
mod tls;
mod trust;
mod url;

pub(crate) use client::{Body, Client, Method, Request, Response};
pub(crate) use download::Download;
pub(crate) use failure::Failure;
pub use retry::Retry;
pub use tls::Tls;
pub(crate) use trust::without_certificate;
pub(crate) use url::{Url, escape};

#[cfg(test)]
mod tests;
