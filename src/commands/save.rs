//! `kiln save`.

use std::io::IsTerminal;
use std::path::PathBuf;

use builder_core::{Error, Result, Save, SaveForm};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::Talk;

/// Write images into an archive or a directory
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, by name or id; those after it are further names for it, with --multi-image-archive further images
    #[arg(required = true)]
    images: Vec<String>,
    /// Write to this file or directory (default: standard output)
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
    /// What is written: docker-archive, oci-archive, oci-dir or docker-dir
    #[arg(long, value_parser = parse_form, value_name = "FORM", default_value = "docker-archive")]
    format: SaveForm,
    /// Every name is an image of its own, in one docker-archive
    #[arg(long, short)]
    multi_image_archive: bool,
    /// Compress the layers of a docker-dir
    #[arg(long)]
    compress: bool,
    /// Leave layers that are not compressed so, in OCI's forms
    #[arg(long)]
    uncompressed: bool,
    /// Do not tell what is written
    #[arg(long, short)]
    quiet: bool,
}

impl Args {
    /// Saves; what goes to standard output must not go to a terminal.
    pub fn run(self, context: &Context) -> Result<Exit> {
        if self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Error::invalid("cannot write an archive to the terminal")
                .hint("name a file with --output FILE, or redirect the output: kiln save IMAGE >FILE"));
        }
        let talk = Talk { quiet: self.quiet };
        let save = Save {
            images: self.images,
            output: self.output,
            form: self.format,
            several: self.multi_image_archive,
            compress: self.compress,
            uncompressed: self.uncompressed,
        };
        save.perform(&context.privileged(&talk)?)?;
        Ok(Exit::Success)
    }
}

fn parse_form(text: &str) -> std::result::Result<SaveForm, String> {
    match text {
        "docker-archive" => Ok(SaveForm::DockerArchive),
        "oci-archive" => Ok(SaveForm::OciArchive),
        "oci-dir" => Ok(SaveForm::OciDir),
        "docker-dir" => Ok(SaveForm::DockerDir),
        _ => Err("write docker-archive, oci-archive, oci-dir or docker-dir".to_owned()),
    }
}
