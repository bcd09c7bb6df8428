//! The verb `copy`: files and directories of a context, a container or an image, put into a container.
//!
//! What it does is said by [`Copy`], a plain value. Which files a source names and where they go is `plan`'s; moving
//! them is `transfer`'s. What archives hold and how addresses are fetched is `add`'s.

mod in_container;
mod inputs;
mod plan;
mod transfer;

pub use in_container::CopyFrom;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use crate::error::{Context, Result};
use crate::event::{Event, Reporter};
use crate::steps::add::{Fetch, Fetched, Unpack};
use crate::tree::adapters::{ModeChange, Rules};
use crate::tree::ignore::Ignore;
use crate::tree::{Devices, RelPath, Root, Timestamp, users};

/// Copies files into a container, as `copy` and a Dockerfile's `COPY` do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// What is copied: paths with Go's `filepath.Match` patterns and `**`, addresses (`https://…`) and repositories
    /// (`https://….git#ref:dir`, `git@host:path`). Of a directory or repository, its content.
    pub sources: Vec<String>,
    /// Where to, from the working directory, which it is if empty. A slash at the end says that it is a directory.
    pub destination: String,
    /// Owner by the container's passwd and group, `user[:group]`. Without it root's, or see `keep_owners`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chown: Option<String>,
    /// Mode of everything copied: octal, or clauses such as `u=rwX,go=rX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chmod: Option<String>,
    /// Patterns of what is left out, by paths below each directory copied and by names of files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<String>,
    /// What is left out by paths from the context: the lines of an ignore file, comments and all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Keep the directories of each source path below the destination, those before `/./` left out.
    #[serde(default)]
    pub parents: bool,
    /// Without `chown`, keep the owners of the source: what a copy from a container or image does.
    #[serde(default)]
    pub keep_owners: bool,
    /// Which archives are unpacked; `add` unpacks those that are files.
    #[serde(default)]
    pub unpack: Unpack,
    /// The destination is as if the container were empty: symlinks and files in the way give way to directories.
    #[serde(default)]
    pub link: bool,
    /// What the one address must have for content, `sha256:…`; of a repository the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The time of everything copied, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// Copy a symlink that a source names, and not what it leads to.
    #[serde(default)]
    pub keep_symlinks: bool,
    /// Copy the `.git` of a repository too.
    #[serde(default)]
    pub keep_git_dir: bool,
    /// Take sources as names and not as patterns.
    #[serde(default)]
    pub literal: bool,
    /// A pattern may match nothing.
    #[serde(default)]
    pub allow_empty: bool,
    /// How addresses are fetched; not a part of what is copied.
    #[serde(skip)]
    pub fetch: Fetch,
}

/// Where a copy takes its files from.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// The context, beyond which nothing is reached; the host's root if there is none.
    pub root: &'a Root,
    /// The directory in it at which relative sources begin and ignore patterns apply.
    pub base: RelPath,
    /// The store's own directory, if it is in there: it is left out, for it grows by what is copied.
    pub store: Option<RelPath>,
    /// What was fetched, by its place in the list of sources.
    pub fetched: BTreeMap<usize, Fetched>,
}

/// Where a copy puts its files.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The container.
    pub root: &'a Root,
    /// The upper that `root` shows over the layers, where a new directory can be filled without overlay's toll: half
    /// the time of making a small file.
    pub upper: Option<&'a Root>,
    /// The working directory of its config; empty is the root.
    pub workdir: &'a str,
    /// What becomes of device nodes.
    pub devices: Devices,
    /// Whether the content is fingerprinted, which costs a read of everything.
    pub fingerprint: bool,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySummary {
    /// `file` or `dir` for one source, `multi` for several.
    pub kind: Cow<'static, str>,
    /// 64 hexadecimal digits over names, modes, owners, attributes and content, not times; if it was asked for.
    pub digest: Option<String>,
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of regular files.
    pub bytes: u64,
}

impl Copy {
    /// Copies. What has been put when a failure shows stays.
    ///
    /// # Errors
    /// Nothing matches a source, the destination is a file where a directory is needed, a user is unknown, a pattern
    /// or mode makes no sense; each with a hint.
    pub(crate) fn perform(
        &self,
        from: &Source<'_>,
        to: &Target<'_>,
        reporter: &dyn Reporter,
    ) -> Result<CopySummary> {
        let rules = Rules {
            context: Ignore::of_lines(&self.ignore)?,
            inside: Ignore::new(&self.excludes)?,
            never: from.store.clone(),
        };
        let mode = self.chmod.as_deref().map(ModeChange::parse).transpose()?;
        let chosen = match &self.chown {
            Some(spec) => Some(users::owner(to.root, spec).cannot("give the files to", spec)?),
            None => None,
        };
        let picks = plan::pick(self, from, &rules)?;
        let owner = chosen.or((!self.keep_owners).then_some((0, 0)));
        let (place, is_new) = plan::settle(self, &picks, to, chosen.unwrap_or((0, 0)))?;
        plan::refuse_into_itself(&picks, from, to, &place)?;
        let kind = match picks.as_slice() {
            [one] if one.sort == plan::Sort::Directory => "dir",
            [_] => "file",
            _ => "multi",
        };
        let time = self.timestamp.map(Timestamp::from_seconds);
        let order = transfer::Order { picks, place, is_new, rules, owner, mode, time };
        let done = transfer::perform(&order, from, to)?;
        if done.stats.devices_skipped > 0 {
            reporter.report(Event::Warning {
                message: format!(
                    "left out {} device nodes, which only root may make",
                    done.stats.devices_skipped
                ),
                hint: Some("run as root to copy device nodes".to_owned()),
            });
        }
        if done.stats.attributes_dropped > 0 {
            let dropped = done.stats.attributes_dropped;
            reporter.report(Event::warning(format!(
                "the file system did not take {dropped} extended attributes"
            )));
        }
        let stats = done.stats;
        Ok(CopySummary { kind: kind.into(), digest: done.digest, entries: stats.entries, bytes: stats.bytes })
    }
}

#[cfg(test)]
mod tests;
