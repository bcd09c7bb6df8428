//! `kiln copy`.

use std::path::{Path, PathBuf};

use builder_core::{Copy, CopyFrom, Error, Kind, Result};

use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::{self, Talk};

/// Copy files into a working container
///
/// Of a directory, its content is copied. Prints a digest of what was copied.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// What is copied, with the patterns of Go's filepath.Match and `**`; the last word is where to (default: the
    /// image's working directory)
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Show the copy in the image's history [env: BUILDAH_HISTORY]
    #[arg(long)]
    add_history: bool,
    /// The mode of everything copied: octal, or u=rwX,go=rX
    #[arg(long, value_name = "MODE")]
    chmod: Option<String>,
    /// The owner of everything copied, by the container's users: USER[:GROUP] (default: root)
    #[arg(long, value_name = "OWNER")]
    chown: Option<String>,
    /// Take sources from this directory and nothing outside it
    #[arg(long, value_name = "DIR")]
    contextdir: Option<PathBuf>,
    /// Leave out what matches this pattern
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Take sources from this container or image
    #[arg(long, value_name = "NAME", conflicts_with = "contextdir")]
    from: Option<String>,
    /// Leave out what this file's patterns match (default: .containerignore or .dockerignore of --contextdir)
    #[arg(long, value_name = "FILE", requires = "contextdir")]
    ignorefile: Option<PathBuf>,
    /// Keep the directories of each source's path
    #[arg(long)]
    parents: bool,
    /// Do not print the digest
    #[arg(long, short)]
    quiet: bool,
}

impl Args {
    /// Copies and prints the digest.
    pub fn run(mut self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        // A single word is a source, and goes to the working directory.
        let destination =
            if self.sources.len() > 1 { self.sources.pop().unwrap_or_default() } else { String::new() };
        let show = self.add_history || Environment::text("BUILDAH_HISTORY").as_deref() == Some("true");
        let ignore = self.ignore()?;
        let from =
            match (self.from, self.contextdir) {
                (Some(name), _) => CopyFrom::Other(name),
                (None, Some(dir)) => CopyFrom::Context(dir),
                (None, None) => CopyFrom::Host(std::env::current_dir().map_err(|cause| {
                    Error::new(Kind::Io, "cannot find the current directory").because(cause)
                })?),
            };
        let copy = Copy {
            sources: self.sources,
            destination,
            chown: self.chown,
            chmod: self.chmod,
            excludes: self.exclude,
            ignore,
            parents: self.parents,
            keep_owners: matches!(from, CopyFrom::Other(_)),
        };
        let builder = context.privileged(&talk)?;
        let done = copy.perform_in(&builder, &self.container, &from, !self.quiet, show)?;
        if let Some(digest) = done.digest.filter(|_| !self.quiet) {
            ui::result(digest);
        }
        Ok(Exit::Success)
    }

    /// The lines of the ignore file: the one named, or the context's own.
    fn ignore(&self) -> Result<Vec<String>> {
        let Some(context) = &self.contextdir else { return Ok(Vec::new()) };
        let named = self.ignorefile.clone();
        let own = || {
            [".containerignore", ".dockerignore"]
                .iter()
                .map(|name| context.join(name))
                .find(|path| path.exists())
        };
        match named.or_else(own) {
            Some(path) => read_lines(&path),
            None => Ok(Vec::new()),
        }
    }
}

fn read_lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| Error::new(Kind::Io, format!("cannot read `{}`", path.display())).because(cause))?;
    Ok(text.lines().map(str::to_owned).collect())
}
