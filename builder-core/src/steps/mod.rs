//! The verbs that change a container, each a plain value that is written down, printed and then performed.

pub(crate) mod config;
pub(crate) mod container;

pub use config::Config;
