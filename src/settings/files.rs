//! Configuration files of the field's tools: where they may be, and reading one within bounds. What is in them is the
//! business of the module of each kind of file.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use builder_core::{Error, Kind, Result};
use serde::de::DeserializeOwned;

use crate::settings::Environment;

/// The largest configuration file that is read, bytes.
const MAX_FILE: u64 = 1 << 20;
/// The most files of a `.d` directory that are read.
const MAX_FRAGMENTS: usize = 1024;

/// Where configuration files are looked for.
#[derive(Debug, Clone)]
pub struct Places {
    /// The vendor's defaults: `/usr/share/containers`.
    pub vendor: PathBuf,
    /// The administrator's: `/etc/containers`.
    pub system: PathBuf,
    /// The user's own, for an ordinary user only: `~/.config/containers`.
    pub user: Option<PathBuf>,
}

impl Places {
    /// Those of this machine; root has no files of its own beside the system's.
    pub fn of_machine(rootless: bool) -> Places {
        let user = if rootless { config_home().map(|dir| dir.join("containers")) } else { None };
        Places { vendor: "/usr/share/containers".into(), system: "/etc/containers".into(), user }
    }

    /// The one file `name` that holds: the user's, else the system's, else the vendor's; none if there is none.
    pub fn first(&self, name: &str) -> Option<PathBuf> {
        let dirs = self.user.iter().chain([&self.system, &self.vendor]);
        dirs.map(|dir| dir.join(name)).find(|path| path.exists())
    }

    /// All files `name` there are, and those of their `.d` directories, each completing those before it.
    pub fn all(&self, name: &str) -> Result<Vec<PathBuf>> {
        let mut found = vec![self.vendor.join(name), self.system.join(name)];
        found.extend(fragments(&self.system.join(format!("{name}.d")))?);
        if let Some(user) = &self.user {
            found.push(user.join(name));
            found.extend(fragments(&user.join(format!("{name}.d")))?);
        }
        found.retain(|path| path.exists());
        Ok(found)
    }
}

/// The directory of the user's configuration files.
fn config_home() -> Option<PathBuf> {
    let named = Environment::get("XDG_CONFIG_HOME").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(Environment::get("HOME")?).join(".config")))
}

/// The `*.conf` files of a directory, in order; none if there is no such directory.
fn fragments(dir: &Path) -> Result<Vec<PathBuf>> {
    let items = match fs::read_dir(dir) {
        Ok(items) => items,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cannot_read(dir).because(cause)),
    };
    let mut found = Vec::new();
    for item in items {
        let path = item.map_err(|cause| cannot_read(dir).because(cause))?.path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            found.push(path);
        }
        if found.len() > MAX_FRAGMENTS {
            return Err(
                cannot_read(dir).because(format!("it has more than {MAX_FRAGMENTS} configuration files"))
            );
        }
    }
    found.sort();
    Ok(found)
}

/// The text of a configuration file; at most 1 MiB, and a regular file: a pipe would keep us waiting.
pub fn read(path: &Path) -> Result<String> {
    let io = |cause: std::io::Error| cannot_read(path).because(cause);
    let meta = fs::metadata(path).map_err(io)?;
    if !meta.is_file() {
        return Err(cannot_read(path).because("it is not a regular file"));
    }
    // One byte more than there is, so that the end is found without another allocation.
    let mut bytes = Vec::with_capacity(meta.len().min(MAX_FILE) as usize + 1);
    fs::File::open(path).map_err(io)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(cannot_read(path).because("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| cannot_read(path).because("it is not UTF-8 text"))
}

/// A TOML file as a table.
pub fn read_toml(path: &Path) -> Result<toml::Table> {
    crate::ui::debug(format_args!("reading {}", path.display()));
    let text = without_comments(read(path)?);
    text.parse().map_err(|cause: toml::de::Error| {
        let line =
            cause.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        malformed(path, format!("line {line}: {}", cause.message()))
    })
}

/// The text with its comment lines empty, so that lines keep their numbers. The files that distributions install are
/// 40 KiB of comments around a few settings, and a parser takes a third of a millisecond over them at each start.
fn without_comments(text: String) -> String {
    // Within a string of several lines, a `#` begins no comment.
    if text.contains("\"\"\"") || text.contains("'''") {
        return text;
    }
    let lines = text.split_inclusive('\n');
    lines.map(|line| if line.trim_ascii_start().starts_with('#') { "\n" } else { line }).collect()
}

/// A table as the struct that names what we know of it.
pub fn typed<T: DeserializeOwned>(path: &Path, table: toml::Table) -> Result<T> {
    table.try_into().map_err(|cause: toml::de::Error| {
        malformed(path, cause.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

/// The error of a file whose text is not what it should be.
pub fn malformed(path: &Path, cause: String) -> Error {
    Error::corrupt(format!("cannot read the configuration file `{}`", path.display()))
        .because(cause)
        .hint(format!("correct {}", path.display()))
}

fn cannot_read(path: &Path) -> Error {
    Error::new(Kind::Io, format!("cannot read the configuration file `{}`", path.display())).hint(
        "CONTAINERS_CONF, CONTAINERS_CONF_OVERRIDE and CONTAINERS_STORAGE_CONF name other files in its place",
    )
}

#[cfg(test)]
mod tests;
