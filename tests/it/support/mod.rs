//! What the stories share: a store of their own, an ordinary user, base images made here, and redaction.

pub mod dockerd;
pub mod env;
pub mod fake;
pub mod images;
pub mod needs;
pub mod podman;
pub mod redact;
pub mod refusal;
pub mod registry;
pub mod transcript;
pub mod trees;

pub use env::Env;
pub use needs::{Need, needs};
pub use transcript::{
    NO_MKDIR, tell, tell_as_buildah, with_base, with_base_for_user, with_container, with_container_for_user,
    with_shell,
};

#[cfg(test)]
mod tests;
