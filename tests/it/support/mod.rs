//! What the stories share: a store of their own, an ordinary user, base images made here, and redaction.

pub mod env;
pub mod images;
pub mod needs;
pub mod redact;

pub use env::Env;
pub use needs::{Need, needs};

#[cfg(test)]
mod tests;
