//! `kiln manifest annotate`.

use builder_core::{Error, ManifestAnnotate, Result};

use super::{EditArgs, show};
use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::Talk;

/// Change what a list says of an image, or of itself
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The list, by name or id
    list: String,
    /// The image, by the digest of its manifest or by its name
    #[arg(required_unless_present = "index", conflicts_with = "index")]
    image: Option<String>,
    /// The list itself: its --annotation and --subject
    #[arg(long)]
    index: bool,
    /// The image that the list is about
    #[arg(long, value_name = "IMAGE", requires = "index")]
    subject: Option<String>,
    #[command(flatten)]
    edit: EditArgs,
}

impl Args {
    /// Changes it, and prints the list's id and the image's digest.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let edit = self.edit.edit()?;
        let of_entries = builder_core::EntryEdit { annotations: Default::default(), ..edit.clone() };
        if self.index && of_entries != builder_core::EntryEdit::default() {
            return Err(Error::invalid("cannot say which platform a whole list is for")
                .hint("leave out --index, and name an image of the list"));
        }
        let annotate = ManifestAnnotate { list: self.list, entry: self.image, edit, subject: self.subject };
        show(&annotate.perform(&context.privileged(&talk)?)?);
        Ok(Exit::Success)
    }
}
