//! What `add` takes beyond the files that `copy` takes: archives, which are unpacked, addresses and git repositories.
//!
//! It is the same verb, [`Copy`](crate::Copy): here live only the sources. What is fetched is put into a directory of
//! unfinished work first, so that a copy never begins with half of it.

mod address;
pub(crate) mod archive;
mod git;

pub use git::is_git;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::settings::Proxies;
use crate::transport::http::{Retry, Tls};
use crate::tree::adapters::Adapt;
use crate::tree::{Apply, Devices, Marks, Options, RelPath, Root, Timestamp};

/// Which archives a copy unpacks instead of copying them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unpack {
    /// None: what `copy` does.
    #[default]
    Nothing,
    /// Those that are files of the source: what `add` does.
    Files,
    /// Also those that are fetched from an address.
    All,
}

/// How what is not here is fetched. It says nothing about what is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// How often it is tried again after a failure of the network.
    pub retry: Retry,
    /// Which certificates are trusted.
    pub tls: Tls,
    /// Which proxies are in the way.
    pub proxies: Proxies,
    /// No more bytes than this are taken from one address.
    pub max_bytes: u64,
    /// How long one address or repository may take.
    pub patience: Duration,
}

impl Default for Fetch {
    fn default() -> Self {
        Fetch {
            retry: Retry::default(),
            tls: Tls::default(),
            proxies: Proxies::default(),
            max_bytes: 32 << 30,
            patience: Duration::from_secs(3600),
        }
    }
}

/// A source that was not here and now is.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    /// Where it is on the host: a file or a directory.
    pub path: PathBuf,
    /// The directory it was put into.
    pub root: Arc<Root>,
    /// What it is called there: a file, or the root itself for a repository.
    pub name: RelPath,
    /// The time all of it gets, whenever it was fetched.
    pub time: Option<Timestamp>,
    /// Whether it may be an archive that is to be unpacked.
    pub is_file: bool,
}

/// Whether `source` is an address or a repository and not a file.
#[must_use]
pub fn is_remote(source: &str) -> bool {
    is_git(source) || address::is_address(source)
}

/// Fetches those of `sources` that are not files, into directories below `dir`; the keys are their places in the list.
pub(crate) fn fetch(
    sources: &[String],
    checksum: Option<&str>,
    keep_git_dir: bool,
    how: &Fetch,
    dir: &Path,
    reporter: &dyn Reporter,
) -> Result<BTreeMap<usize, Fetched>> {
    let remote = || sources.iter().enumerate().filter(|(_, source)| is_remote(source));
    if let Some(checksum) = checksum
        && (sources.len() != 1 || remote().count() != 1)
    {
        return Err(Error::invalid(format!("cannot check `{checksum}`"))
            .because("a checksum is that of one address or repository")
            .hint("give --checksum with one https:// address and nothing else"));
    }
    let mut fetched = BTreeMap::new();
    for (number, source) in remote() {
        let into = dir.join(format!("fetched-{number}"));
        std::fs::create_dir(&into).cannot("make", into.display())?;
        let one = if is_git(source) {
            git::fetch(source, checksum, keep_git_dir, how, &into)
        } else {
            address::fetch(source, checksum, how, &into, reporter)
        };
        fetched.insert(number, one?);
    }
    Ok(fetched)
}

impl Fetch {
    /// Fetches what `source` names, a file or a repository's directory, below `dir`, and says where it is.
    pub fn perform(
        &self,
        builder: &Builder<'_>,
        source: &str,
        dir: &Path,
        keep_git_dir: bool,
    ) -> Result<PathBuf> {
        let sources = [source.to_owned()];
        let mut fetched = fetch(&sources, None, keep_git_dir, self, dir, builder.reporter())?;
        fetched.remove(&0).map(|one| one.path).ok_or_else(|| {
            Error::invalid(format!("cannot fetch `{source}`"))
                .because("it is no address")
                .hint("write it as https://HOST/FILE, or https://HOST/REPOSITORY.git")
        })
    }
}

/// Unpacks the archive `file` into the directory `dir`, everything as root's own. `false`, and nothing done, if it is
/// no archive.
pub fn unpack_archive(file: &Path, dir: &Path) -> Result<bool> {
    let (Some(above), Some(name)) = (file.parent(), file.file_name()) else { return Ok(false) };
    let above = Root::open_host(above).cannot("open", above.display())?;
    let place = RelPath::root().join(name);
    if !archive::is_archive(&above, &place)? {
        return Ok(false);
    }
    let into = Root::open_host(dir).cannot("open", dir.display())?;
    let options = Options { marks: Marks::None, devices: Devices::Skip, keep_times: false };
    let mut apply = Apply::new(&into, options)?;
    for entry in archive::open(&above, &place, &RelPath::root())?.owned_by(Some((0, 0))) {
        apply.put(entry?).cannot("unpack", file.display())?;
    }
    apply.finish().map(|_| true)
}

/// Tries what may fail by chance as often as `how` says.
fn persist<T>(how: &Fetch, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut number = 0;
    loop {
        match attempt() {
            Err(error) if number < how.retry.times && error.kind() == Kind::Io => {
                number += 1;
                std::thread::sleep(how.retry.wait(number, None));
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests;
