//! `kiln umount`.

use builder_core::{Error, Mount, Result, Umount};

use crate::cli::Context;
use crate::commands::{for_each, named_or_all};
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Unmount working containers and print their ids
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Containers, by name or id
    containers: Vec<String>,
    /// All that are mounted
    #[arg(long, short)]
    all: bool,
}

impl Args {
    /// Unmounts each that is mounted and prints its id.
    pub fn run(self, context: &Context) -> Result<Exit> {
        named_or_all("unmount", "containers", &self.containers, self.all)?;
        let talk = Talk { quiet: true };
        if !context.host.is_privileged() {
            return Err(Error::new(builder_core::Kind::Denied, "cannot unmount containers")
                .because("an ordinary user's mounts live inside a session of `kiln unshare`")
                .hint("run this inside that session"));
        }
        let builder = context.privileged(&talk)?;
        let names = match self.all {
            true => Mount::list(&builder)?.into_iter().map(|mounted| mounted.id).collect(),
            false => self.containers,
        };
        for_each(&names, |name| {
            if let Some(id) = (Umount { container: name.to_owned() }).perform(&builder)? {
                ui::result(id);
            }
            Ok(())
        })?;
        Ok(Exit::Success)
    }
}
