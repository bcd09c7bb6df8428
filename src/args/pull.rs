//! When a registry is asked for an image that may be here already.

use builder_core::{Error, Policy, Result};

use crate::commands::pull::parse_policy;
use crate::settings;

/// The flags of verbs that begin with images.
#[derive(Debug, Default, clap::Args)]
pub struct PullArgs {
    /// When a registry is asked for the image: always; missing, if it is not here; newer (or true, or no value), always
    /// but the one that is here does where none can be reached; never (or false) (default:
    /// pull_policy of containers.conf, else missing)
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(conflicts_with_all = ["pull_always", "pull_never"])]
    pull: Option<String>,
    /// As --pull=always
    #[arg(long, hide_short_help = true, conflicts_with = "pull_never")]
    pull_always: bool,
    /// As --pull=never
    #[arg(long, hide_short_help = true)]
    pull_never: bool,
}

impl PullArgs {
    /// What the flags say.
    pub fn policy(&self) -> Result<Policy> {
        match &self.pull {
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "" => Ok(Policy::Newer),
                "false" => Ok(Policy::Never),
                name => parse_policy(name).map_err(|cause| {
                    Error::invalid(format!("cannot use `--pull={text}`"))
                        .because(cause)
                        .hint("--pull=missing")
                }),
            },
            None if self.pull_always => Ok(Policy::Always),
            None if self.pull_never => Ok(Policy::Never),
            None => usual_policy(),
        }
    }
}

/// The policy where no flag says one: that of containers.conf, else a registry is asked for what is not here.
pub fn usual_policy() -> Result<Policy> {
    match settings::engine()?.pull_policy.as_deref() {
        None | Some("") => Ok(Policy::Missing),
        Some(name) => parse_policy(name).map_err(|why| settings::bad_engine_key("pull_policy", name, why)),
    }
}
