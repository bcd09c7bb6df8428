//! `kiln rmi`.

use builder_core::{Error, Kind, Prune, Result, Rmi, images};

use crate::cli::Context;
use crate::commands::{for_each, named_or_all};
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Remove images
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Images, by name or id; a name that is not the image's last is only taken away
    images: Vec<String>,
    /// All images
    #[arg(long, short)]
    all: bool,
    /// Also images that containers were made of (these are removed) or that have several names
    #[arg(long, short)]
    force: bool,
    /// All images without a name
    #[arg(long, short)]
    prune: bool,
}

impl Args {
    /// Removes each; prints `untagged:` names and the ids of images that went.
    pub fn run(self, context: &Context) -> Result<Exit> {
        if self.all && self.prune {
            return Err(Error::invalid("cannot use `--all` and `--prune` together")
                .hint("`kiln rmi --all` removes those without a name too"));
        }
        named_or_all("remove", "images", &self.images, self.all || self.prune)?;
        let talk = Talk { quiet: true };
        let builder = context.privileged(&talk)?;
        if self.prune {
            for id in (Prune { force: self.force, ..Prune::default() }).perform(&builder)?.images {
                ui::result(id.hex());
            }
            return Ok(Exit::Success);
        }
        let (names, force) = match self.all {
            true => {
                // What is in other stores is not ours to remove.
                let own = images(&builder)?.into_iter().filter(|image| !image.read_only);
                (own.map(|image| image.id.hex()).collect(), true)
            }
            false => (self.images, self.force),
        };
        for_each(&names, |name| {
            // With --all, what containers were made of goes only where --force says so as well.
            if self.all && !self.force && in_use(&builder, name)? {
                return Err(Error::new(Kind::InUse, format!("cannot remove the image `{name}`"))
                    .because("containers were made of it")
                    .hint("remove these too with `kiln rmi --all --force`"));
            }
            let removed = match (Rmi { image: name.to_owned(), force }).perform(&builder) {
                // It went with an image that was made of it.
                Err(error) if self.all && error.kind() == Kind::NotFound => return Ok(()),
                removed => removed?,
            };
            for name in removed.untagged {
                ui::result(format_args!("untagged: {name}"));
            }
            for id in removed.deleted.iter().chain(&removed.parents) {
                ui::result(id.hex());
            }
            Ok(())
        })?;
        Ok(Exit::Success)
    }
}

fn in_use(builder: &builder_core::Builder<'_>, id: &str) -> Result<bool> {
    let containers = builder_core::containers(builder)?;
    Ok(containers.iter().any(|container| container.image_id.is_some_and(|image| image.hex() == id)))
}
