//! mounts.conf: files and directories of the host that every `run` sees, such as subscriptions; a line each,
//! `HOST[:CONTAINER]`, as containers-mounts.conf(5) has it. What a `run` does with them is the library's.

use std::path::{Path, PathBuf};

use builder_core::Result;
use serde::Serialize;

use crate::settings::files::{self, Places};

/// One line: what of the host is seen where in the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretMount {
    /// A file or directory of the host. Where it does not exist there is nothing to see.
    pub host: PathBuf,
    /// Its path in the container.
    pub container: PathBuf,
}

/// The lines of `named`, else of the one mounts.conf that holds.
pub fn load(places: &Places, named: Option<&Path>) -> Result<Vec<SecretMount>> {
    let path = match named {
        Some(path) => Some(path.to_owned()),
        None => places.first("mounts.conf"),
    };
    path.map_or_else(|| Ok(Vec::new()), |path| Ok(parse(&files::read(&path)?)))
}

/// A line that does not begin with `/` is a remark.
fn parse(text: &str) -> Vec<SecretMount> {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
    lines
        .map(|line| {
            let (host, container) = line.split_once(':').unwrap_or((line, line));
            SecretMount { host: host.into(), container: container.into() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_paths_or_pairs() {
        let read = parse("# remark\n/usr/share/rhel/secrets:/run/secrets\n\n /etc/x \nnothing\n");
        let shown: Vec<_> =
            read.iter().map(|one| format!("{} {}", one.host.display(), one.container.display())).collect();
        assert_eq!(shown, ["/usr/share/rhel/secrets /run/secrets", "/etc/x /etc/x"]);
    }
}
