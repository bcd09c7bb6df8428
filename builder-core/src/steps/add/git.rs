//! Git repositories as sources, fetched by the installed `git`.
//!
//! Nothing of an address reaches `git` where it could be an option, and nothing of a repository is run: no hooks, no
//! filters, no file system monitor. Only the network's transports are allowed, also to submodules, and the user's own
//! settings of `git` do not count, so that a build is the same for everyone.

mod command;
mod location;

pub use location::is_git;

use std::path::Path;
use std::sync::Arc;

use super::{Fetch, Fetched, persist};
use crate::error::{Context, Error, Kind, Result};
use crate::tree::{RelPath, Root, Timestamp};
use command::Git;
use location::Location;

/// Fetches the repository that `source` names into the directory `dir`.
pub(super) fn fetch(
    source: &str,
    checksum: Option<&str>,
    keep_git_dir: bool,
    how: &Fetch,
    dir: &Path,
) -> Result<Fetched> {
    let location = Location::parse(source)?;
    let keep = location.keep_git_dir.unwrap_or(keep_git_dir);
    let git = Git { dir, how };
    git.run(["init", "-q", "--template=", "."])?;
    git.run(["remote", "add", "--", "origin", &location.url])?;
    let commit = persist(how, || check_out(&git, &location))?;
    for expected in checksum.into_iter().chain(location.checksum.as_deref()) {
        if expected.len() < 7 || !commit.starts_with(&expected.to_ascii_lowercase()) {
            return Err(Error::corrupt(format!("cannot use `{source}`"))
                .because(format!("it is at commit {commit}, and not {expected}")));
        }
    }
    if location.submodules && dir.join(".gitmodules").exists() {
        persist(how, || {
            git.run(["submodule", "-q", "update", "--init", "--recursive", "--depth=1"]).map(drop)
        })?;
    }
    let seconds = git.run(["log", "-1", "--format=%ct", "HEAD"])?;
    let time = seconds.trim().parse().ok().map(Timestamp::from_seconds);
    let whole = Root::open_host(dir).cannot("open", dir.display())?;
    if !keep {
        if location.submodules && dir.join(".gitmodules").exists() {
            forget_submodules(&git, &whole)?;
        }
        whole.remove_all(".git").cannot("remove", dir.join(".git").display())?;
    }
    let root = below(&whole, location.subdir.as_deref()).cannot("use", source)?;
    let path = dir.join(location.subdir.as_deref().unwrap_or_default());
    Ok(Fetched { path, root: Arc::new(root), name: RelPath::root(), time, is_file: false })
}

/// Fetches and checks out what was asked for. Returns the commit's id.
fn check_out(git: &Git<'_>, location: &Location) -> Result<String> {
    let reference = location.reference.as_deref().unwrap_or("HEAD");
    let shallow = git.run(["fetch", "-q", "-u", "--depth=1", "--no-tags", "--", "origin", reference]);
    let target = match shallow {
        Ok(_) => "FETCH_HEAD".to_owned(),
        // The beginning of a commit's id, or a server that gives no single commit: among all there is it may be found.
        Err(_) if location::may_be_commit(reference) => {
            git.run(["fetch", "-q", "-u", "--tags", "--", "origin", "+refs/heads/*:refs/remotes/origin/*"])?;
            reference.to_owned()
        }
        Err(error) => return Err(error),
    };
    let commit =
        git.run(["rev-parse", "--verify", "-q", "--end-of-options", &format!("{target}^{{commit}}")]);
    let commit = commit.map_err(|error| {
        Error::new(Kind::NotFound, format!("cannot find `{reference}` in `{}`", location.url)).because(error)
    })?;
    let commit = commit.trim().to_owned();
    git.run(["checkout", "-q", "-f", "--detach", &commit])?;
    Ok(commit)
}

/// Removes what submodules have in place of a `.git` directory, which would lead nowhere.
fn forget_submodules(git: &Git<'_>, whole: &Root) -> Result<()> {
    let top = std::fs::canonicalize(git.dir).cannot("find", git.dir.display())?;
    let each = "printf '%s/%s\\0' \"$toplevel\" \"$sm_path\"";
    let places = git.run(["submodule", "-q", "foreach", "--recursive", each])?;
    for place in places.split('\0') {
        // A name that is no UTF-8 keeps its file, which does no harm.
        if let Ok(below) = Path::new(place).strip_prefix(&top)
            && whole.lstat(below.join(".git")).is_ok()
        {
            whole.remove_all(below.join(".git")).cannot("remove", below.join(".git").display())?;
        }
    }
    Ok(())
}

/// The directory `subdir`, each part of which must be a directory itself: a repository says what its symlinks are.
fn below(root: &Root, subdir: Option<&str>) -> Result<Root> {
    let path = RelPath::parse(subdir.unwrap_or_default())?;
    let mut here = RelPath::root();
    for part in path.parts() {
        here = here.join(part);
        let stat = root.lstat(here.as_path()).cannot("find the directory", &here)?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::Directory {
            return Err(Error::invalid(format!("cannot use `{here}`"))
                .because("it is no directory of the repository")
                .hint("name a directory, and not a symlink to one"));
        }
    }
    root.subroot(path.as_path()).cannot("open", path)
}

/// URL, reference and directory of an address, for tests of what is told apart.
#[cfg(test)]
pub(super) fn parse_for_test(source: &str) -> Result<(String, Option<String>, Option<String>)> {
    Location::parse(source).map(|location| (location.url, location.reference, location.subdir))
}
