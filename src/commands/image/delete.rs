//! `kiln image delete`, `skopeo delete`.

use builder_core::{Error, Kind, Location, Remote, Result, Rmi};

use super::copy::place;
use super::{RetryArgs, Tool};
use crate::args::endpoint::Endpoint;
use crate::exit::Exit;
use crate::ui::Talk;

/// Delete an image from a registry, with all its tags there
#[derive(Debug, clap::Args)]
pub struct Args {
    /// docker://HOST/NAME:TAG, or containers-storage:NAME
    image: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    retry: RetryArgs,
}

impl Args {
    /// Deletes.
    pub fn run(self, tool: &Tool<'_>) -> Result<Exit> {
        let access = tool.access(self.endpoint.access(None)?, &self.retry);
        let talk = Talk { quiet: true };
        match place(&self.image)? {
            Location::Registry(name) => {
                tool.with(&talk, false, |surroundings| {
                    Remote { name, access }.delete(surroundings.registries, &talk).map(drop)
                })?;
            }
            Location::Store(name) => {
                let builder = tool.context.privileged(&talk)?;
                Rmi { image: name.to_string(), force: false }.perform(&builder)?;
            }
            other => {
                return Err(Error::new(Kind::Unsupported, format!("cannot delete `{other}`"))
                    .because("it is a file or a directory, perhaps with other images in it")
                    .hint("remove the file or directory itself"));
            }
        }
        Ok(Exit::Success)
    }
}
