//! `--device host[:container[:rwm]]`: what it says, and which device nodes it means.

use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::sandbox::DeviceNode;
use crate::steps::run::cdi;
use crate::steps::run::words::short;

/// More nodes than any directory of devices has.
const MAX_NODES: usize = 4096;

/// How deep a directory of devices is looked through; `/dev/bus/usb/001` has depth 3.
const MAX_DEPTH: usize = 8;

/// A device of the host, or all that are in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Where it is on the host, absolute; or the name `vendor.com/class=name` of a description, with nothing else.
    pub source: PathBuf,
    /// Where it goes in the container, absolute.
    pub target: PathBuf,
    /// What may be done with it: letters of `rwm` (read, write, make nodes of it).
    pub access: String,
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |because: String| {
            Error::invalid(format!("cannot use the device `{}`", short(text)))
                .because(because)
                .hint("write it as /dev/HOST:/dev/CONTAINER:rwm, for example `--device /dev/fuse`")
        };
        if !text.starts_with('/') && is_named(text) {
            return Ok(Device { source: text.into(), target: PathBuf::new(), access: String::new() });
        }
        let is_access = |word: &str| !word.is_empty() && !word.starts_with('/');
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, access) = match parts[..] {
            [source] => (source, source, "rwm"),
            [source, access] if is_access(access) => (source, source, access),
            [source, target] => (source, target, "rwm"),
            [source, target, access] => (source, target, access),
            _ => return Err(invalid("it has too many parts".into())),
        };
        for path in [source, target] {
            if !path.starts_with('/') || path.contains('\0') {
                return Err(invalid(format!("`{}` does not start with a slash", short(path))));
            }
        }
        let distinct = |(at, letter): (usize, char)| "rwm".contains(letter) && !access[..at].contains(letter);
        if access.is_empty() || !access.char_indices().all(distinct) {
            return Err(invalid(format!("`{}` is not made of r, w and m", short(access))));
        }
        Ok(Device { source: source.into(), target: target.into(), access: access.to_owned() })
    }
}

/// Whether it is `vendor.com/class=name`.
fn is_named(text: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
    };
    let parts = text.split_once('/').and_then(|(vendor, rest)| Some((vendor, rest.split_once('=')?)));
    parts.is_some_and(|(vendor, (class, name))| word(vendor) && word(class) && word(name))
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            return f.write_str(name);
        }
        write!(f, "{}:{}:{}", self.source.display(), self.target.display(), self.access)
    }
}

impl Device {
    /// Whether the host has it, or a description in `dirs` (or in the usual places) names it.
    #[must_use]
    pub fn is_there(&self, dirs: &[PathBuf]) -> bool {
        match self.name() {
            Some(name) => cdi::needs(name, dirs).is_ok(),
            None => self.source.exists(),
        }
    }

    /// The name that a vendor's description gives it, if it is named so.
    pub(crate) fn name(&self) -> Option<&str> {
        self.source.to_str().filter(|name| !name.starts_with('/'))
    }

    /// The nodes it means: itself, or those in and below the directory that it is.
    pub(crate) fn nodes(&self) -> Result<Vec<DeviceNode>> {
        let show = &self.source.display();
        // A link such as /dev/cdrom stands for the device it leads to.
        let source = fs::canonicalize(&self.source).cannot("find the device", show)?;
        let meta = fs::metadata(&source).cannot("find the device", show)?;
        if !meta.is_dir() {
            return match self.node(&source, &self.target, &meta) {
                Some(node) => Ok(vec![node]),
                None => Err(Error::invalid(format!("cannot use the device `{show}`"))
                    .because("it is neither a device nor a directory")
                    .hint(format!("to show a file use `-v {show}:{show}`"))),
            };
        }
        let mut nodes = Vec::new();
        let sentence = || format!("cannot use the devices of `{show}`");
        self.collect(&source, &self.target, MAX_DEPTH, &mut nodes)
            .map_err(|error| Error::new(error.kind(), sentence()).because(error))?;
        if nodes.is_empty() {
            return Err(Error::new(Kind::NotFound, sentence()).because("there are none in this directory"));
        }
        Ok(nodes)
    }

    fn collect(&self, source: &Path, target: &Path, depth: usize, into: &mut Vec<DeviceNode>) -> Result<()> {
        let items = fs::read_dir(source).cannot("read", source.display())?;
        let mut items: Vec<_> = items.flatten().collect();
        items.sort_by_key(fs::DirEntry::file_name);
        for item in items {
            let Ok(meta) = item.metadata() else { continue };
            let target = target.join(item.file_name());
            if meta.is_dir() && depth > 0 {
                self.collect(&item.path(), &target, depth - 1, into)?;
            }
            into.extend(self.node(&item.path(), &target, &meta));
            if into.len() > MAX_NODES {
                return Err(Error::invalid(format!("cannot use more than {MAX_NODES} devices")));
            }
        }
        Ok(())
    }

    fn node(&self, source: &Path, target: &Path, meta: &fs::Metadata) -> Option<DeviceNode> {
        let kind = meta.file_type();
        let block = kind.is_block_device();
        (block || kind.is_char_device()).then(|| DeviceNode {
            source: source.to_owned(),
            at: target.to_owned(),
            block,
            number: (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev())),
            mode: meta.mode() & 0o777,
            owner: (meta.uid(), meta.gid()),
            access: self.access.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
