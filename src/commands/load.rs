//! `kiln load`.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::PathBuf;

use builder_core::{Error, Kind, Load, LoadFrom, Result};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Bring all images of an archive or a directory into the store
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read this file or directory: docker-archive, oci-archive, oci-dir or docker-dir, compressed or not (default:
    /// standard input)
    #[arg(long, short, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
}

impl Args {
    /// Loads, and prints the name of each image, or its id.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let input = match self.input {
            Some(path) => LoadFrom::Path(path),
            None if std::io::stdin().is_terminal() => {
                return Err(Error::invalid("cannot read an archive from the terminal")
                    .hint("name a file with --input FILE, or redirect the input: kiln load <FILE"));
            }
            None => {
                let stdin = std::io::stdin()
                    .as_fd()
                    .try_clone_to_owned()
                    .map_err(|cause| Error::new(Kind::Io, "cannot read `standard input`").because(cause))?;
                LoadFrom::File(File::from(stdin))
            }
        };
        let talk = Talk { quiet: self.quiet };
        for image in (Load { input }).perform(&context.privileged(&talk)?)? {
            for name in &image.names {
                ui::result(format_args!("Loaded image: {name}"));
            }
            if image.names.is_empty() {
                ui::result(format_args!("Loaded image: {}", image.id));
            }
        }
        Ok(Exit::Success)
    }
}
