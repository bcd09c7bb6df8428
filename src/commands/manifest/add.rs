//! `kiln manifest add`.

use std::path::PathBuf;

use builder_core::{Added, Artifact, Error, ManifestAdd, Result};

use super::{EditArgs, annotations, show};
use crate::args::RegistryArgs;
use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::Talk;

/// Put an image, or files, into a list, and print the list's id and the digest that was added
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The list, by name or id
    list: String,
    /// The image: a name in the store or in a registry, or a location; with --artifact, files
    #[arg(required = true)]
    images: Vec<String>,
    /// Of an image that is a list itself, take all of its images
    #[arg(long)]
    all: bool,
    /// Add files as an artifact
    #[arg(long)]
    artifact: bool,
    /// What the artifact is, as a media type
    #[arg(long, value_name = "TYPE", requires = "artifact")]
    artifact_type: Option<String>,
    /// A file that is the artifact's config
    #[arg(long, value_name = "FILE", requires = "artifact")]
    artifact_config: Option<PathBuf>,
    /// What the artifact's config is, as a media type
    #[arg(long, value_name = "TYPE", requires = "artifact")]
    artifact_config_type: Option<String>,
    /// What the artifact's files are, as a media type (default: guessed from their names)
    #[arg(long, value_name = "TYPE", requires = "artifact")]
    artifact_layer_type: Option<String>,
    /// An image that the artifact is about
    #[arg(long, value_name = "IMAGE", requires = "artifact")]
    artifact_subject: Option<String>,
    /// A remark on the artifact
    #[arg(long, value_name = "NAME=VALUE", requires = "artifact")]
    artifact_annotation: Vec<String>,
    /// Leave out the names of the artifact's files
    #[arg(long, requires = "artifact")]
    artifact_exclude_titles: bool,
    #[command(flatten)]
    edit: EditArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Args {
    /// Adds it.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let what = match (self.artifact, self.images.as_slice()) {
            (true, files) => Added::Artifact(Artifact {
                files: files.iter().map(PathBuf::from).collect(),
                kind: self.artifact_type,
                config: self.artifact_config,
                config_type: self.artifact_config_type,
                layer_type: self.artifact_layer_type,
                subject: self.artifact_subject,
                annotations: annotations(&self.artifact_annotation)?,
                no_titles: self.artifact_exclude_titles,
            }),
            (false, [image]) => Added::Image(image.clone()),
            (false, images) => {
                return Err(Error::invalid(format!("cannot add {} images at once", images.len()))
                    .hint("add one after the other; --artifact takes several files"));
            }
        };
        let add = ManifestAdd {
            list: self.list,
            what,
            all: self.all,
            edit: self.edit.edit()?,
            access: self.registry.access()?,
        };
        show(&add.perform(&context.privileged(&talk)?)?);
        Ok(Exit::Success)
    }
}
