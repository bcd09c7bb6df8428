//! Where control groups are on this machine, and where in them we are. Pure: from the text of two files of `/proc`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A hierarchy: where it is mounted, and our own group in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// The mount point.
    pub mount: PathBuf,
    /// Our own group, below the mount point.
    pub own: PathBuf,
}

/// The hierarchies there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Version 1: one per controller.
    pub single: BTreeMap<String, Hierarchy>,
    /// Version 2.
    pub unified: Option<Hierarchy>,
}

impl Layout {
    /// Of `/proc/self/mountinfo` and `/proc/self/cgroup`; see proc(5) and cgroups(7).
    pub(super) fn parse(mounts: &str, own: &str) -> Self {
        let mut layout = Layout::default();
        for mount in mounts.lines().filter_map(Mount::parse) {
            for line in own.lines() {
                let mut parts = line.splitn(3, ':').skip(1);
                let (Some(names), Some(path)) = (parts.next(), parts.next()) else { continue };
                let fits = match mount.unified {
                    true => names.is_empty(),
                    false => !names.is_empty() && names.split(',').all(|name| mount.options.contains(&name)),
                };
                if !fits {
                    continue;
                }
                // Mounted from a group below the root, that one is where the mount begins.
                let Some(below) = path.strip_prefix(mount.root.trim_end_matches('/')) else { continue };
                let at = PathBuf::from(mount.at.replace("\\040", " "));
                let here = Hierarchy { own: at.join(below.trim_start_matches('/')), mount: at };
                if mount.unified {
                    layout.unified.get_or_insert(here);
                } else {
                    for name in names.split(',').filter(|name| !name.contains('=')) {
                        layout.single.entry(name.to_owned()).or_insert_with(|| here.clone());
                    }
                }
            }
        }
        layout
    }
}

/// A mount of control groups.
struct Mount<'a> {
    root: &'a str,
    at: &'a str,
    unified: bool,
    options: Vec<&'a str>,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, at) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let unified = match kind.next()? {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        let options = kind.nth(1)?.split(',').collect();
        Some(Mount { root, at, unified, options })
    }
}

#[cfg(test)]
mod tests;
