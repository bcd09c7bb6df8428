//! `kiln image sync`, `skopeo sync`: many images at once, between registries and directories.

mod list;

use std::path::{Path, PathBuf};

use builder_core::{
    Access, CopyImage, Digest, Error, Format, Kind, Layers, Location, Reference, Result, Which, tags,
};

use self::list::Tags;
use super::copy::parse_manifest_type;
use super::{RetryArgs, Tool};
use crate::args::endpoint::{From, To};
use crate::args::signing::SigningArgs;
use crate::commands::write_file;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// How deep directories of images are searched.
const MAX_DEPTH: usize = 16;

/// Copy all images of a repository, or of a directory of images
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository HOST/NAME[:TAG], a directory with images in it, or a file that lists images of registries
    source: String,
    /// A registry, with a path perhaps, or a directory
    target: String,
    /// What the source is: docker, dir or yaml, a list of images of registries
    #[arg(long, short, value_name = "TRANSPORT", value_parser = parse_source)]
    src: End,
    /// What the target is: docker or dir
    #[arg(long, short, value_name = "TRANSPORT", value_parser = parse_end)]
    dest: End,
    /// Keep the whole path of an image in its name at the target, below the source where that is a directory
    #[arg(long)]
    scoped: bool,
    /// Of an index, copy the images for all platforms
    #[arg(long, short)]
    all: bool,
    /// Put this behind every tag at the target
    #[arg(
        long,
        value_name = "SUFFIX",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    append_suffix: String,
    /// Write the digest and the name of each image at the target to this file, a line for each
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// Tell what would be copied, and copy nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on after an image that cannot be copied
    #[arg(long)]
    keep_going: bool,
    /// The file with credentials for both ends
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    to: To,
    /// The manifests' family of media types: oci or v2s2
    #[arg(long, short, value_name = "FORMAT", value_parser = parse_manifest_type)]
    format: Option<Format>,
    /// Fail rather than change a digest
    #[arg(long)]
    preserve_digests: bool,
    /// Leave signatures behind
    #[arg(long)]
    remove_signatures: bool,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    signing: SigningArgs,
}

/// What is at one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Docker,
    Dir,
    Yaml,
}

/// One image that is copied: where it is, and what it is called below the target.
struct Job {
    source: Location,
    suffix: String,
    /// How it is reached.
    from: Access,
}

impl Args {
    /// Copies all of them; fails if one failed.
    pub fn run(self, tool: &Tool<'_>) -> Result<Exit> {
        self.signing.check()?;
        if self.src == End::Dir && self.dest == End::Dir {
            return Err(Error::invalid("cannot copy from directory to directory")
                .because("no registry has a part in it")
                .hint("copy the directory itself: cp -r SOURCE TARGET"));
        }
        let from = tool.access(self.from.access(self.authfile.as_ref())?, &self.retry);
        let to = tool.access(self.to.access(self.authfile.as_ref())?, &self.retry);
        let jobs = match self.src {
            End::Docker => self.of_registry(tool, &from)?,
            End::Dir => self.of_directory(&from)?,
            End::Yaml => self.of_list(tool, &from)?,
        };
        let mut failed = 0;
        let mut digests = String::new();
        for job in &jobs {
            let target = self.target(&job.suffix)?;
            ui::remark(format_args!("Copying {} to {target}", job.source));
            if self.dry_run {
                continue;
            }
            let named = target.to_string();
            match self.copy(tool, job, target, &to) {
                Ok(digest) => digests.push_str(&format!("{digest} {named}\n")),
                Err(error) if self.keep_going => {
                    ui::show_error(&error);
                    failed += 1;
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(path) = self.digestfile.as_ref().filter(|_| !self.dry_run) {
            write_file(path, &digests)?;
        }
        if failed > 0 {
            return Err(Error::new(Kind::Io, format!("cannot copy {failed} of {} images", jobs.len())).hint(
                "mend what is said of each above, and do the same again: what is there is not sent twice",
            ));
        }
        Ok(Exit::Success)
    }

    fn copy(&self, tool: &Tool<'_>, job: &Job, target: Location, to: &Access) -> Result<Digest> {
        let copy = CopyImage {
            source: job.source.clone(),
            target,
            which: if self.all { Which::All } else { Which::One },
            platform: tool.platform()?,
            format: self.format,
            layers: Layers::Preferred,
            level: None,
            preserve_digests: self.preserve_digests,
            remove_signatures: self.remove_signatures,
            additional_tags: Vec::new(),
            precompute: false,
            from: job.from.clone(),
            to: to.clone(),
        };
        tool.with(&Talk { quiet: false }, false, |surroundings| copy.perform(surroundings))
            .map(|done| done.digest)
    }

    /// One tag, or all tags of a repository.
    fn of_registry(&self, tool: &Tool<'_>, access: &Access) -> Result<Vec<Job>> {
        let name = Reference::on_registry(&self.source)?;
        let last = self.source.rsplit('/').next().unwrap_or_default();
        let below = if self.scoped { name.repository() } else { name.base().to_owned() };
        if last.contains([':', '@']) {
            let after = &last[last.find([':', '@']).unwrap_or(0)..];
            let from = access.clone();
            return Ok(vec![Job {
                suffix: format!("{below}{after}"),
                source: Location::Registry(name),
                from,
            }]);
        }
        self.of_repository(tool, &name, &Tags::All, access)
    }

    /// The tags of one repository that are meant.
    fn of_repository(
        &self,
        tool: &Tool<'_>,
        name: &Reference,
        wanted: &Tags,
        access: &Access,
    ) -> Result<Vec<Job>> {
        let below = if self.scoped { name.repository() } else { name.base().to_owned() };
        let found = match wanted {
            Tags::These(tags) => tags.clone(),
            wanted => {
                let location = Location::Registry(name.clone());
                let talk = Talk { quiet: true };
                let mut found =
                    tool.with(&talk, false, |surroundings| tags(&location, access, surroundings))?;
                found.retain(|tag| wanted.take(tag));
                found
            }
        };
        let job = |tag: String| {
            let sign = if tag.contains(':') { '@' } else { ':' };
            let source = Location::Registry(format!("{}{sign}{tag}", name.repository()).parse()?);
            Ok(Job { source, suffix: format!("{below}{sign}{tag}"), from: access.clone() })
        };
        found.into_iter().map(job).collect()
    }

    /// All that a list names.
    fn of_list(&self, tool: &Tool<'_>, flags: &Access) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        for (host, registry) in list::read(Path::new(&self.source))? {
            let access = registry.access(flags);
            for (name, wanted) in registry.repositories(&host)? {
                match self.of_repository(tool, &name, &wanted, &access) {
                    Ok(found) => jobs.extend(found),
                    Err(error) if self.keep_going => ui::show_error(&error),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(jobs)
    }

    /// Every directory below the source that has a manifest.
    fn of_directory(&self, from: &Access) -> Result<Vec<Job>> {
        let top = Path::new(&self.source);
        let mut found = Vec::new();
        search(top, 0, &mut found).map_err(|cause| {
            Error::new(Kind::Io, format!("cannot read the directory `{}`", self.source)).because(cause)
        })?;
        if found.is_empty() {
            return Err(Error::new(Kind::NotFound, format!("cannot find an image in `{}`", self.source))
                .because("no directory in it has a manifest.json")
                .hint("name the directory that `sync --dest dir` has written to"));
        }
        found.sort();
        let job = |path: PathBuf| Job {
            suffix: self.name_below(top, &path),
            source: Location::Dir(path),
            from: from.clone(),
        };
        Ok(found.into_iter().map(job).collect())
    }

    /// What an image in the directory `top` is called below the target: where `top` itself is says nothing of it.
    fn name_below(&self, top: &Path, path: &Path) -> String {
        match path.strip_prefix(top) {
            Ok(below) if self.scoped && !below.as_os_str().is_empty() => below.display().to_string(),
            _ => {
                // A source such as `.` does not say its name.
                let real = if path.file_name().is_none() { path.canonicalize().ok() } else { None };
                let last = real.as_deref().unwrap_or(path).file_name().unwrap_or_default();
                last.to_string_lossy().into_owned()
            }
        }
    }

    fn target(&self, suffix: &str) -> Result<Location> {
        // A digest cannot have one.
        let more = if suffix.contains('@') { "" } else { self.append_suffix.as_str() };
        let joined = format!("{}/{suffix}{more}", self.target.trim_end_matches('/'));
        match self.dest {
            End::Dir => Ok(Location::Dir(joined.into())),
            _ => Ok(Location::Registry(Reference::on_registry(&joined)?)),
        }
    }
}

fn search(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if dir.join("manifest.json").is_file() {
        found.push(dir.to_owned());
        return Ok(());
    }
    if depth == MAX_DEPTH {
        return Ok(());
    }
    for item in std::fs::read_dir(dir)? {
        let item = item?;
        // A link could lead in circles, or out.
        if item.file_type()?.is_dir() {
            search(&item.path(), depth + 1, found)?;
        }
    }
    Ok(())
}

fn parse_end(text: &str) -> std::result::Result<End, String> {
    match text {
        "docker" => Ok(End::Docker),
        "dir" => Ok(End::Dir),
        _ => Err("write docker or dir".to_owned()),
    }
}

fn parse_source(text: &str) -> std::result::Result<End, String> {
    match text {
        "yaml" => Ok(End::Yaml),
        text => parse_end(text).map_err(|_| "write docker, dir or yaml".to_owned()),
    }
}
