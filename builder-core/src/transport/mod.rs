//! Moving images between the store and other places. Layers that are a tree are written, compressed and digested in
//! one pass; layers that are a blob move byte for byte.

#[allow(dead_code, unused_imports, reason = "the registry client comes next")]
pub(crate) mod http;
mod layout;
mod pull;
mod push;

pub(crate) use pull::pull_layout;
pub(crate) use push::Push;

#[cfg(test)]
mod tests;
