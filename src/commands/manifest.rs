//! `kiln manifest`: lists of images for several platforms.

mod add;
mod annotate;
mod create;
mod push;

use std::collections::BTreeMap;

use builder_core::{Error, ManifestRemove, Result, inspect_manifest, manifest_exists, remove_list};

use crate::args::RegistryArgs;
use crate::cli::Context;
use crate::commands::for_each;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Make lists of images for several platforms, and push them
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Add(Box<add::Args>),
    Annotate(annotate::Args),
    Create(create::Args),
    /// Tell by the exit code, 0 or 1, whether there is a list of this name
    Exists {
        /// The list, by name or id
        list: String,
    },
    /// Print a list as JSON
    Inspect {
        /// A list, by name or id, or an image or a list elsewhere
        list: String,
        #[command(flatten)]
        registry: Box<RegistryArgs>,
    },
    Push(Box<push::Args>),
    /// Take an image out of a list
    Remove {
        /// The list, by name or id
        list: String,
        /// The image, by the digest of its manifest or by its name
        image: String,
    },
    /// Remove lists; the images in them stay
    Rm {
        /// Lists, by name or id
        #[arg(required = true)]
        lists: Vec<String>,
    },
}

impl Args {
    /// Does what its own verb says.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        match self.verb {
            Verb::Add(args) => args.run(context),
            Verb::Annotate(args) => args.run(context),
            Verb::Create(args) => args.run(context),
            Verb::Push(args) => args.run(context),
            Verb::Exists { list } => match manifest_exists(&context.builder(&talk)?, &list)? {
                true => Ok(Exit::Success),
                false => Ok(Exit::Broken),
            },
            Verb::Inspect { list, registry } => {
                ui::result_json(&inspect_manifest(&context.builder(&talk)?, &list, &registry.access()?)?);
                Ok(Exit::Success)
            }
            Verb::Remove { list, image } => {
                let changed = ManifestRemove { list, entry: image }.perform(&context.privileged(&talk)?)?;
                show(&changed);
                Ok(Exit::Success)
            }
            Verb::Rm { lists } => {
                let builder = context.privileged(&talk)?;
                for_each(&lists, |list| {
                    let removed = remove_list(&builder, list)?;
                    for name in removed.untagged {
                        ui::result(format_args!("untagged: {name}"));
                    }
                    if let Some(id) = removed.deleted {
                        ui::result(id.hex());
                    }
                    Ok(())
                })?;
                Ok(Exit::Success)
            }
        }
    }
}

/// Prints a list's id, and the entry that was changed.
fn show(changed: &builder_core::ChangedList) {
    match changed.entry {
        Some(entry) => ui::result(format_args!("{}: {entry}", changed.id.hex())),
        None => ui::result(changed.id.hex()),
    }
}

/// `NAME=VALUE`, each a remark.
pub fn annotations(words: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::invalid(format!("cannot use the annotation `{word}`")).hint("write NAME=VALUE")),
    };
    words.iter().map(pair).collect()
}

/// What an entry is made to say.
#[derive(Debug, Default, clap::Args)]
struct EditArgs {
    /// A remark on the entry
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// The processor it is for
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// What the processor must have
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
    /// The operating system it is for
    #[arg(long, value_name = "OS")]
    os: Option<String>,
    /// What the operating system must have
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    os_features: Vec<String>,
    /// The version of the operating system
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// The variant of the processor it is for
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
}

impl EditArgs {
    fn edit(&self) -> Result<builder_core::EntryEdit> {
        Ok(builder_core::EntryEdit {
            os: self.os.clone(),
            arch: self.arch.clone(),
            variant: self.variant.clone(),
            os_version: self.os_version.clone(),
            features: self.features.clone(),
            os_features: self.os_features.clone(),
            annotations: annotations(&self.annotation)?,
        })
    }
}
