//! What `add` and `copy` take: everything but whether archives are unpacked.

use std::path::{Path, PathBuf};

use builder_core::{
    Builder, Copy, CopyFrom, Error, Kind, Policy, Pull, Result, Shown, Unpack, inspect_container,
    inspect_image,
};

use crate::args::{PullArgs, RegistryArgs};
use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::{self, Talk};

/// Sources, where they go, and how.
#[derive(Debug, clap::Args)]
pub struct Sources {
    /// The container, by name or id
    container: String,
    /// Files and directories, with the patterns of Go's filepath.Match and `**`; addresses (https://HOST/FILE); git
    /// repositories (https://HOST/REPOSITORY.git#REFERENCE:DIRECTORY, git@HOST:PATH). The last word is where to
    /// (default: the image's working directory)
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Show it in the image's history [env: BUILDAH_HISTORY]
    #[arg(long)]
    add_history: bool,
    /// A pattern may match nothing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "false", hide_default_value = true)]
    allow_empty_wildcard: bool,
    /// Take sources as patterns; =false takes them as names (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "true", hide_default_value = true)]
    allow_wildcard: bool,
    /// What is fetched from an address must have this content: sha256:DIGEST; of a repository, the commit's id
    #[arg(long, value_name = "DIGEST")]
    checksum: Option<String>,
    /// The mode of everything copied: octal, or u=rwX,go=rX
    #[arg(long, value_name = "MODE")]
    chmod: Option<String>,
    /// The owner of everything copied, by the container's users: USER[:GROUP] (default: root)
    #[arg(long, value_name = "OWNER")]
    chown: Option<String>,
    /// Take sources from this directory and nothing outside it
    #[arg(long, value_name = "DIR")]
    contextdir: Option<PathBuf>,
    /// Name it in the image's history as what made the next layer, in place of a line of its own; with commit --layers
    /// that layer ends here
    #[arg(long, conflicts_with = "add_history")]
    created_by: bool,
    /// Leave out what matches this pattern, by the path from --contextdir, from the root of --from, or from the
    /// directory you are in
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Leave out what matches this pattern, by the path below each source that is a directory or by a file's name, as
    /// COPY --exclude of a Dockerfile does
    #[arg(long, value_name = "PATTERN")]
    exclude_below: Vec<String>,
    /// Take sources from this container or image
    #[arg(long, value_name = "NAME", conflicts_with = "contextdir")]
    from: Option<String>,
    /// Leave out what this file's patterns match (default: .containerignore or .dockerignore of --contextdir)
    #[arg(long, value_name = "FILE", requires = "contextdir")]
    ignorefile: Option<PathBuf>,
    /// Keep the .git directory of a repository
    #[arg(long)]
    keep_git_dir: bool,
    /// Copy as into an empty container: symlinks and files on the way to the destination give way to directories
    #[arg(long)]
    link: bool,
    /// Copy a symlink that is a source as a symlink
    #[arg(long)]
    no_follow_symlinks: bool,
    /// Keep the directories of each source's path, those before `/./` left out
    #[arg(long)]
    parents: bool,
    /// Do not print the digest
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    pull: PullArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// The time of everything copied, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<i64>,
}

impl Sources {
    /// Copies and prints the digest.
    pub fn run(mut self, unpack: Unpack, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        // A single word is a source, and goes to the working directory.
        let destination =
            if self.sources.len() > 1 { self.sources.pop().unwrap_or_default() } else { String::new() };
        let show = self.add_history || Environment::wants_history();
        let mut ignore = self.ignore()?;
        // A comment in a file is a pattern here.
        ignore.extend(self.exclude.iter().map(|pattern| match pattern.strip_prefix('#') {
            Some(rest) => format!("\\#{rest}"),
            None => pattern.clone(),
        }));
        let from = match (self.from, self.contextdir) {
            (Some(name), _) => CopyFrom::Other(name),
            (None, Some(dir)) => CopyFrom::Context(dir),
            (None, None) => CopyFrom::Host(super::current_dir()?),
        };
        let copy = Copy {
            sources: self.sources,
            destination,
            chown: self.chown,
            chmod: self.chmod,
            excludes: self.exclude_below,
            ignore,
            parents: self.parents,
            keep_owners: matches!(from, CopyFrom::Other(_)),
            unpack,
            link: self.link,
            checksum: self.checksum,
            timestamp: self.timestamp,
            keep_symlinks: self.no_follow_symlinks,
            keep_git_dir: self.keep_git_dir,
            literal: !self.allow_wildcard,
            allow_empty: self.allow_empty_wildcard,
            fetch: self.registry.fetch(&context.globals),
        };
        let builder = context.privileged(&talk)?;
        let from = match from {
            CopyFrom::Other(name) => {
                CopyFrom::Other(brought(&builder, name, self.pull.policy()?, &self.registry)?)
            }
            from => from,
        };
        let shown = match (self.created_by, show) {
            (true, _) => Shown::Layer(None),
            (false, true) => Shown::Line(None),
            (false, false) => Shown::Nothing,
        };
        let done = copy.perform_in(&builder, &self.container, &from, !self.quiet, &shown);
        let done = done.map_err(|error| match (error.kind(), &from) {
            (Kind::NotFound, CopyFrom::Host(_)) => {
                error.hint("name a file below the directory you are in, or set it: --contextdir DIRECTORY")
            }
            _ => error,
        })?;
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

/// What files are copied from: the container of that name, or else the image, which is pulled if it is not here.
fn brought(builder: &Builder<'_>, name: String, policy: Policy, registry: &RegistryArgs) -> Result<String> {
    let is_container = inspect_container(builder, &name).is_ok();
    if is_container || policy == Policy::Never {
        return Ok(name);
    }
    let pull = Pull { source: name.clone(), policy, access: registry.access()?, ..Pull::default() };
    match pull.perform(builder) {
        // What is here keeps the name it was called by: steps of a cached container are known by it.
        Ok(_) if inspect_image(builder, &name).is_ok() => Ok(name),
        Ok(pulled) => Ok(pulled.name.unwrap_or_else(|| pulled.id.hex())),
        Err(error) => {
            Err(Error::new(error.kind(), format!("cannot find a container or image `{name}`")).because(error))
        }
    }
}

fn read_lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| Error::new(Kind::Io, format!("cannot read `{}`", path.display())).because(cause))?;
    Ok(text.lines().map(str::to_owned).collect())
}
