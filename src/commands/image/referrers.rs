//! `kiln image referrers`.

use builder_core::{Error, Location, Remote, Result};

use super::copy::place;
use super::{RetryArgs, Tool};
use crate::args::endpoint::Endpoint;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Print what refers to an image in a registry, such as signatures and bills of materials, as an index
#[derive(Debug, clap::Args)]
pub struct Args {
    /// docker://HOST/NAME:TAG, or with its digest
    image: String,
    /// Only artifacts of this type
    #[arg(long, value_name = "TYPE")]
    artifact_type: Option<String>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    retry: RetryArgs,
}

impl Args {
    /// Prints the index.
    pub fn run(self, tool: &Tool<'_>) -> Result<Exit> {
        let access = tool.access(self.endpoint.access(None)?, &self.retry);
        let name = match place(&self.image)? {
            Location::Registry(name) => name,
            other => {
                return Err(Error::invalid(format!("cannot list what refers to `{other}`"))
                    .because("only registries keep such a list")
                    .hint("name an image in a registry: docker://HOST/NAME:TAG"));
            }
        };
        let talk = Talk { quiet: true };
        let remote = Remote { name, access };
        let mut index =
            tool.with(&talk, false, |surroundings| remote.referrers(surroundings.registries, &talk))?;
        if let Some(wanted) = &self.artifact_type {
            let kind = |entry: &builder_core::Descriptor| entry.other.get("artifactType").cloned();
            index.manifests.retain(|entry| kind(entry).is_some_and(|kind| kind == wanted.as_str()));
        }
        ui::result_json(&index);
        Ok(Exit::Success)
    }
}
