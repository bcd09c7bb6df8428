//! `--mount type=…`: what it says, as Buildah and BuildKit have it. How it becomes a mount is in `open`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::steps::run::options::{MountOptions, Refused};
use crate::steps::run::words::{parse_size, short};

pub(super) mod open;

/// A mount for one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMount {
    /// What is mounted.
    pub kind: MountKind,
    /// Where it goes in the container; begins in the working directory if it has no slash in front. Empty for a secret
    /// without a file.
    pub target: PathBuf,
    /// Whether nothing may be written there.
    pub read_only: bool,
    /// The directory that the source of a bind mount begins in, and does not leave; open means that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contextdir: Option<PathBuf>,
    /// Options that volumes have, too.
    pub options: MountOptions,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// A directory or file of the host, of an image or of a container. What is written there is dropped afterwards.
    Bind {
        /// The image or container; open means the host, or the context directory where there is one.
        from: Option<String>,
        /// The path there.
        source: PathBuf,
    },
    /// A directory that lives on from run to run.
    Cache {
        /// Its name; without one it is named after its target.
        id: Option<String>,
        /// Who else may use it meanwhile.
        sharing: Sharing,
        /// The image or container whose files a new cache begins with.
        from: Option<String>,
        /// The part of it (of the cache, or of `from` when it is new) that is mounted.
        source: PathBuf,
        /// The mode of a new one.
        mode: u32,
        /// The owner of a new one.
        owner: (u32, u32),
    },
    /// An empty directory in memory.
    Tmpfs {
        /// How many bytes may be in it; open means half of the memory.
        size: Option<u64>,
        /// Its mode.
        mode: u32,
        /// Whether it begins with what the container has there.
        copy_up: bool,
    },
    /// A secret: a file, a variable, or both.
    Secret {
        /// Which.
        id: String,
        /// The variable it is in; without a target it is in no file then.
        env: Option<String>,
        /// Whether the run fails where there is no such secret.
        required: bool,
        /// The mode of the file.
        mode: u32,
        /// The owner of the file.
        owner: (u32, u32),
    },
    /// The socket of an SSH agent.
    Ssh {
        /// Which; `default` without a name.
        id: String,
        /// Whether the run fails where there is no such agent.
        required: bool,
        /// The mode of the socket.
        mode: u32,
        /// The owner of the socket.
        owner: (u32, u32),
    },
}

/// Who else may use a cache at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// Nobody: another one gets a cache of its own.
    Private,
    /// Nobody: another one waits.
    Locked,
}

/// The types, with the options each has besides `type` and `target`.
const KINDS: [(&str, &[&str]); 5] = [
    (
        "bind",
        &[
            "source",
            "from",
            "ro",
            "rw",
            "bind-propagation",
            "relabel",
            "consistency",
            "flag",
            "bind-nonrecursive",
            "no-dereference",
            "contextdir",
        ],
    ),
    (
        "cache",
        &[
            "source",
            "from",
            "ro",
            "rw",
            "bind-propagation",
            "relabel",
            "id",
            "sharing",
            "mode",
            "uid",
            "gid",
            "flag",
        ],
    ),
    ("tmpfs", &["ro", "rw", "size", "mode", "tmpcopyup", "notmpcopyup", "flag"]),
    ("secret", &["source", "id", "env", "required", "mode", "uid", "gid"]),
    ("ssh", &["id", "required", "mode", "uid", "gid"]),
];

/// Options that are a word alone, and need nothing but to be passed on.
const FLAGS: [&str; 12] = [
    "nosuid", "nodev", "noexec", "z", "Z", "U", "private", "rprivate", "slave", "rslave", "shared", "rshared",
];

/// One option: the name it is kept by, the name as written, and its value.
struct Field {
    name: &'static str,
    written: String,
    value: Option<String>,
}

impl FromStr for RunMount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Parsed::new(text)?.mount()
    }
}

/// A mount taken apart.
struct Parsed<'a> {
    text: &'a str,
    kind: &'static str,
    fields: Vec<Field>,
}

impl<'a> Parsed<'a> {
    fn new(text: &'a str) -> Result<Self> {
        let mut parsed = Parsed { text, kind: "bind", fields: Vec::new() };
        if text.len() > 64 << 10 {
            return Err(parsed.fault("it is too long"));
        }
        for part in split(text).ok_or_else(|| parsed.fault("a quotation mark is missing"))? {
            let (written, value) = match part.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (part.clone(), None),
            };
            if written.eq_ignore_ascii_case("type") {
                let word = value.unwrap_or_default();
                let found = KINDS.iter().find(|(kind, _)| *kind == word);
                parsed.kind = found.map(|(kind, _)| *kind).ok_or_else(|| {
                    parsed
                        .fault(format!("there is no type `{}`", short(&word)))
                        .hint("use type=bind, cache, tmpfs, secret or ssh")
                })?;
                continue;
            }
            let name = canonical(&written).ok_or_else(|| {
                let why = format!("a mount has no option `{}`", short(&written));
                parsed.fault(why).hint("the options of each type are in `kiln run --help`, --mount")
            })?;
            parsed.fields.push(Field { name, written, value });
        }
        parsed.check()?;
        Ok(parsed)
    }

    fn fault(&self, because: impl Into<String>) -> Error {
        Error::invalid(format!("cannot use the mount `{}`", short(self.text))).because(because.into())
    }

    /// Whether each option belongs to the type, and has a value where it must.
    fn check(&self) -> Result<()> {
        let (_, known) = KINDS.iter().find(|(kind, _)| *kind == self.kind).expect("it is one of them");
        for field in &self.fields {
            let written = short(&field.written);
            let kind = if FLAGS.contains(&field.name) { "flag" } else { field.name };
            if kind != "target" && !known.contains(&kind) {
                return Err(self.fault(format!("a {} mount has no option `{written}`", self.kind)));
            }
            let alone = kind == "flag"
                || ["bind-nonrecursive", "no-dereference", "tmpcopyup", "notmpcopyup"].contains(&kind);
            let either = ["ro", "rw", "required"].contains(&kind);
            match &field.value {
                Some(_) if alone => return Err(self.fault(format!("`{written}` takes no value"))),
                None if !alone && !either => return Err(self.fault(format!("`{written}` has no value"))),
                Some(value) if value.is_empty() && !alone => {
                    return Err(self.fault(format!("the value of `{written}` is empty")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn text_of(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|field| field.name == name).and_then(|field| field.value.as_deref())
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// A word for yes or no; the option alone is yes.
    fn yes(&self, name: &str) -> Result<Option<bool>> {
        let Some(field) = self.fields.iter().rev().find(|field| field.name == name) else { return Ok(None) };
        match field.value.as_deref() {
            None | Some("true" | "1" | "TRUE" | "True" | "t" | "T") => Ok(Some(true)),
            Some("false" | "0" | "FALSE" | "False" | "f" | "F") => Ok(Some(false)),
            Some(other) => Err(self.fault(format!("`{}` is neither true nor false", short(other)))),
        }
    }

    fn number(&self, name: &str, radix: u32, most: u32) -> Result<Option<u32>> {
        let Some(text) = self.text_of(name) else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match u32::from_str_radix(text, radix) {
            Ok(number) if digits && number <= most => Ok(Some(number)),
            _ => Err(self.fault(format!("`{name}` cannot be `{}`", short(text)))),
        }
    }

    fn mode(&self, default: u32) -> Result<u32> {
        Ok(self.number("mode", 8, 0o7777)?.unwrap_or(default))
    }

    fn owner(&self) -> Result<(u32, u32)> {
        let id = |name| self.number(name, 10, u32::MAX - 1).map(Option::unwrap_or_default);
        Ok((id("uid")?, id("gid")?))
    }

    fn options(&self) -> Result<MountOptions> {
        let mut options = MountOptions::default();
        let mut add = |word: &str| {
            options.add(word).map_err(|refused| match refused {
                Refused::Contradicts => self.fault(format!("`{word}` contradicts another of its options")),
                Refused::Unknown => self.fault(format!("there is no option `{word}`")),
            })
        };
        for field in &self.fields {
            let value = field.value.as_deref().unwrap_or_default();
            match field.name {
                "bind-propagation" if FLAGS[6..].contains(&value) => add(value)?,
                "bind-propagation" => {
                    return Err(self
                        .fault(format!("`bind-propagation` cannot be `{}`", short(value)))
                        .hint("use [r]private, [r]slave or [r]shared"));
                }
                "relabel" => match value {
                    "shared" => add("z")?,
                    "private" => add("Z")?,
                    _ => {
                        return Err(
                            self.fault(format!("`relabel` is shared or private, not `{}`", short(value)))
                        );
                    }
                },
                "bind-nonrecursive" => add("bind")?,
                flag if FLAGS.contains(&flag) => add(flag)?,
                _ => {}
            }
        }
        Ok(options)
    }

    /// A path that is a target.
    fn target(&self) -> Result<Option<PathBuf>> {
        let Some(text) = self.text_of("target") else { return Ok(None) };
        if text.contains('\0') {
            return Err(self.fault("its target has a NUL byte"));
        }
        if text.starts_with('/') && crate::tree::RelPath::clamp(text).is_root() {
            return Err(self.fault("it would hide the whole container"));
        }
        Ok(Some(PathBuf::from(text)))
    }

    fn mount(self) -> Result<RunMount> {
        let source = PathBuf::from(self.text_of("source").unwrap_or_default());
        let from = self.text_of("from").map(str::to_owned);
        let writable = match (self.yes("rw")?, self.yes("ro")?) {
            (Some(rw), None) => rw,
            (None, Some(ro)) => !ro,
            (None, None) => matches!(self.kind, "cache" | "tmpfs"),
            (Some(_), Some(_)) => return Err(self.fault("`ro` contradicts `rw`")),
        };
        let mut target = self.target()?;
        let kind = match self.kind {
            "bind" => MountKind::Bind { from, source },
            "cache" => MountKind::Cache {
                id: self.text_of("id").map(|id| self.cache_id(id)).transpose()?,
                sharing: self.sharing()?,
                from,
                source,
                mode: self.mode(0o755)?,
                owner: self.owner()?,
            },
            "tmpfs" => MountKind::Tmpfs {
                size: self.size()?,
                mode: self.mode(0o1777)?,
                copy_up: self.has("tmpcopyup"),
            },
            kind => {
                let (mut id, env) =
                    (self.text_of("id").map(str::to_owned), self.text_of("env").map(str::to_owned));
                // BuildKit: `source` is an older word for the id, and without both the target's name is it.
                let fallback = if kind == "ssh" { Some("default".to_owned()) } else { None };
                let of_target = || target.as_deref().and_then(Path::file_name)?.to_str().map(str::to_owned);
                id = id.or_else(|| self.text_of("source").map(str::to_owned)).or(fallback).or_else(of_target);
                let id = id.ok_or_else(|| self.fault("it has no `id`").hint("write for example id=token"))?;
                if id.contains(['/', '\0']) && target.is_none() && env.is_none() && kind == "secret" {
                    return Err(self.fault(format!("`{}` is no file name", short(&id))).hint("add a target"));
                }
                let required = self.yes("required")?.unwrap_or(false);
                let owner = self.owner()?;
                match kind {
                    "secret" => {
                        if target.is_none() && env.is_none() {
                            target = Some(Path::new("/run/secrets").join(&id));
                        }
                        MountKind::Secret { id, env, required, mode: self.mode(0o400)?, owner }
                    }
                    _ => MountKind::Ssh { id, required, mode: self.mode(0o600)?, owner },
                }
            }
        };
        let needs_target = matches!(self.kind, "bind" | "cache" | "tmpfs");
        if needs_target && target.is_none() {
            return Err(self.fault("it has no target").hint("add target=/where"));
        }
        let contextdir = self.text_of("contextdir").map(PathBuf::from);
        if contextdir.is_some() && matches!(&kind, MountKind::Bind { from: Some(_), .. }) {
            return Err(self.fault("`contextdir` contradicts `from`"));
        }
        let options = self.options()?;
        Ok(RunMount { kind, target: target.unwrap_or_default(), read_only: !writable, contextdir, options })
    }

    /// A name that could also be a path must not lead anywhere else.
    fn cache_id(&self, id: &str) -> Result<String> {
        let climbs = id.split('/').any(|part| matches!(part, "." | ".."));
        if climbs || id.chars().any(char::is_control) || id.len() > 1024 {
            return Err(self
                .fault(format!("`{}` is no name of a cache", short(id).escape_debug()))
                .hint("use letters and digits, for example id=cargo"));
        }
        Ok(id.to_owned())
    }

    fn sharing(&self) -> Result<Sharing> {
        match self.text_of("sharing") {
            None | Some("shared") => Ok(Sharing::Shared),
            Some("private") => Ok(Sharing::Private),
            Some("locked") => Ok(Sharing::Locked),
            Some(other) => Err(self
                .fault(format!("`sharing` cannot be `{}`", short(other)))
                .hint("use sharing=shared, private or locked")),
        }
    }

    fn size(&self) -> Result<Option<u64>> {
        let Some(text) = self.text_of("size") else { return Ok(None) };
        parse_size(text).map(Some).ok_or_else(|| {
            self.fault(format!("`{}` is no size", short(text))).hint("write for example tmpfs-size=64m")
        })
    }
}

/// The one name that an option is kept by.
fn canonical(written: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 30] = [
        ("from", "from"),
        ("source", "source"),
        ("src", "source"),
        ("target", "target"),
        ("dst", "target"),
        ("destination", "target"),
        ("ro", "ro"),
        ("readonly", "ro"),
        ("read-only", "ro"),
        ("rw", "rw"),
        ("readwrite", "rw"),
        ("read-write", "rw"),
        ("bind-propagation", "bind-propagation"),
        ("bind-nonrecursive", "bind-nonrecursive"),
        ("no-dereference", "no-dereference"),
        ("relabel", "relabel"),
        ("consistency", "consistency"),
        ("contextdir", "contextdir"),
        ("size", "size"),
        ("tmpfs-size", "size"),
        ("mode", "mode"),
        ("tmpfs-mode", "mode"),
        ("tmpcopyup", "tmpcopyup"),
        ("notmpcopyup", "notmpcopyup"),
        ("id", "id"),
        ("sharing", "sharing"),
        ("uid", "uid"),
        ("gid", "gid"),
        ("required", "required"),
        ("env", "env"),
    ];
    let known = NAMES.iter().find(|(name, _)| *name == written).map(|(_, kept)| *kept);
    known.or_else(|| FLAGS.iter().find(|flag| **flag == written).copied())
}

/// The fields between commas; one in double quotes may hold commas, and a doubled quote is one. `None` where a quote is
/// not closed.
fn split(text: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let field = fields.last_mut().expect("never empty");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields.retain(|field| !field.is_empty());
    (!quoted).then_some(fields)
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sharing::Shared => "shared",
            Sharing::Private => "private",
            Sharing::Locked => "locked",
        })
    }
}

#[cfg(test)]
mod tests;
