//! `kiln image tags`, `skopeo list-tags`.

use builder_core::{Error, Location, Result};
use serde::Serialize;

use super::copy::place;
use super::{RetryArgs, Tool};
use crate::args::endpoint::Endpoint;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// List the tags of a repository, or the names in an archive, as JSON
#[derive(Debug, clap::Args)]
pub struct Args {
    /// docker://HOST/NAME, docker-archive:FILE or oci:DIR
    repository: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    retry: RetryArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tags {
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    tags: Vec<String>,
}

impl Args {
    /// Prints Skopeo's object.
    pub fn run(self, tool: &Tool<'_>) -> Result<Exit> {
        let access = tool.access(self.endpoint.access(None)?, &self.retry);
        let talk = Talk { quiet: true };
        let location = place(&self.repository)?;
        let repository = match &location {
            Location::Registry(name) => {
                let written = self.repository.rsplit('/').next().unwrap_or_default();
                if written.contains([':', '@']) {
                    return Err(Error::invalid(format!("cannot list the tags of `{}`", self.repository))
                        .because("it names one of them")
                        .hint(format!("leave out tag and digest: docker://{}", name.repository())));
                }
                Some(name.repository())
            }
            _ => None,
        };
        let tags =
            tool.with(&talk, false, |surroundings| builder_core::tags(&location, &access, surroundings))?;
        ui::result_json(&Tags { repository, tags });
        Ok(Exit::Success)
    }
}
