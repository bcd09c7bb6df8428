//! The list of images that `sync --src yaml` reads: for each registry its repositories, with tags or a rule that tags
//! meet, and how the registry is reached. The form is skopeo-sync(1)'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use builder_core::{Access, Credentials, Error, Kind, Reference, Result};
use regex::Regex;
use semver::{Version, VersionReq};
use serde::Deserialize;

/// The largest list that is read, bytes.
const MAX_LIST: u64 = 16 << 20;

/// All registries of a list, by host.
pub type List = BTreeMap<String, Registry>;

/// What is taken of one registry.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Registry {
    /// Repositories with tags or digests; without any, all tags.
    #[serde(default)]
    images: BTreeMap<String, Option<Vec<String>>>,
    /// Repositories, and the expression that tags match.
    #[serde(default)]
    images_by_tag_regex: BTreeMap<String, String>,
    /// Repositories, and the versions that tags are.
    #[serde(default)]
    images_by_semver: BTreeMap<String, String>,
    credentials: Option<Login>,
    tls_verify: Option<bool>,
    cert_dir: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    username: String,
    password: String,
}

/// Which tags of a repository are meant.
#[derive(Debug)]
pub enum Tags {
    /// These; digests among them.
    These(Vec<String>),
    /// All of them.
    All,
    /// Those that match.
    Matching(Regex),
    /// Those that are such versions.
    Versions(Versions),
}

/// Versions as a constraint has them: one of several, each of which has several conditions.
#[derive(Debug)]
pub struct Versions(Vec<Vec<Condition>>);

#[derive(Debug)]
enum Condition {
    Is(VersionReq),
    IsNot(VersionReq),
}

/// Reads a list.
pub fn read(path: &Path) -> Result<List> {
    use std::io::Read;
    let mut text = String::new();
    let sentence = || format!("cannot read the list `{}`", path.display());
    let file = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_LIST).read_to_string(&mut text))
        .map_err(|cause| Error::new(Kind::Io, sentence()).because(cause));
    file?;
    serde_yaml_ng::from_str(&text).map_err(|cause| {
        Error::corrupt(sentence()).because(cause).hint("see skopeo-sync(1) for what such a list looks like")
    })
}

impl Registry {
    /// Its repositories, and which tags of each.
    pub fn repositories(&self, host: &str) -> Result<Vec<(Reference, Tags)>> {
        let mut found = Vec::new();
        let name = |repository: &str| format!("{host}/{repository}").parse::<Reference>();
        for (repository, tags) in &self.images {
            let tags = match tags {
                Some(tags) if !tags.is_empty() => Tags::These(tags.clone()),
                _ => Tags::All,
            };
            found.push((name(repository)?, tags));
        }
        for (repository, pattern) in &self.images_by_tag_regex {
            let pattern = Regex::new(pattern).map_err(|cause| {
                Error::invalid(format!("cannot use the expression `{pattern}`"))
                    .because(cause)
                    .hint("write one for whole tags, such as ^1\\.13\\.[0-9]+$")
            })?;
            found.push((name(repository)?, Tags::Matching(pattern)));
        }
        for (repository, constraint) in &self.images_by_semver {
            found.push((name(repository)?, Tags::Versions(Versions::parse(constraint)?)));
        }
        Ok(found)
    }

    /// How it is reached: as the list says, else as the flags do.
    pub fn access(&self, flags: &Access) -> Access {
        let own = self.credentials.as_ref().map(|login| Credentials::Password {
            user: login.username.clone(),
            password: login.password.clone(),
        });
        Access {
            tls_verify: self.tls_verify.or(flags.tls_verify),
            credentials: own.or_else(|| flags.credentials.clone()),
            cert_dir: self.cert_dir.clone().or_else(|| flags.cert_dir.clone()),
            ..flags.clone()
        }
    }
}

impl Tags {
    /// Whether a tag of the registry's is meant.
    pub fn take(&self, tag: &str) -> bool {
        match self {
            Tags::These(tags) => tags.iter().any(|named| named == tag),
            Tags::All => true,
            Tags::Matching(pattern) => pattern.is_match(tag),
            Tags::Versions(versions) => version(tag).is_some_and(|version| versions.have(&version)),
        }
    }
}

impl Versions {
    /// Reads `>= 1.2, < 2 || ~3.1`: conditions with commas or spaces between, several sets with `||`.
    fn parse(text: &str) -> Result<Self> {
        let refuse = |part: &str| {
            Error::invalid(format!("cannot use the versions `{text}`"))
                .because(format!("`{part}` is no condition"))
                .hint("write conditions such as >=1.2.0 <2.0.0, ^1.2 or ~1.2.3")
        };
        let set = |text: &str| -> Result<Vec<Condition>> {
            // An operator may stand apart from its version.
            let mut joined = text.replace(',', " ");
            for operator in ["=", ">", "<", "~", "^", "!"] {
                while joined.contains(&format!("{operator} ")) {
                    joined = joined.replace(&format!("{operator} "), operator);
                }
            }
            let parts =
                joined.split_whitespace().map(|part| Condition::parse(part).ok_or_else(|| refuse(part)));
            let parts: Vec<Condition> = parts.collect::<Result<_>>()?;
            if parts.is_empty() { Err(refuse("")) } else { Ok(parts) }
        };
        text.split("||").map(set).collect::<Result<_>>().map(Versions)
    }

    fn have(&self, version: &Version) -> bool {
        self.0.iter().any(|set| {
            set.iter().all(|condition| match condition {
                Condition::Is(wanted) => wanted.matches(version),
                Condition::IsNot(unwanted) => !unwanted.matches(version),
            })
        })
    }
}

impl Condition {
    fn parse(part: &str) -> Option<Self> {
        let digits = part.find(|c: char| c.is_ascii_digit() || matches!(c, '*' | 'x' | 'X' | 'v'))?;
        let (operator, version) = part.split_at(digits);
        let version = version.trim_start_matches('v').replace(['x', 'X'], "*");
        let wanted = |operator: &str| VersionReq::parse(&format!("{operator}{version}")).ok();
        Some(match operator {
            "" | "=" | "==" if version.contains('*') => Condition::Is(wanted("")?),
            "" | "=" | "==" => Condition::Is(wanted("=")?),
            "!=" => Condition::IsNot(wanted("=")?),
            "~>" => Condition::Is(wanted("~")?),
            "=>" => Condition::Is(wanted(">=")?),
            "=<" => Condition::Is(wanted("<=")?),
            ">" | "<" | ">=" | "<=" | "~" | "^" => Condition::Is(wanted(operator)?),
            _ => return None,
        })
    }
}

/// The version that a tag is: `1.2.3`, also with a `v` before it and with numbers left out at its end.
fn version(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let missing = 2_usize.checked_sub(numbers.matches('.').count())?;
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_chosen_by_version() {
        let have =
            |constraint: &str, tag: &str| Tags::Versions(Versions::parse(constraint).unwrap()).take(tag);
        for (constraint, tag) in [
            (">= 3.12.0", "3.12.0"),
            (">= 3.12.0", "v4"),
            (">=1.2 <2", "1.9.9"),
            (">= 1.2, < 2 || ~3.1", "3.1.7"),
            ("1.2.x", "1.2.9"),
            ("1.2.3", "1.2.3"),
            ("!=1.2.3", "1.2.4"),
            ("*", "7.0"),
            ("^1.2", "1.3"),
        ] {
            assert!(have(constraint, tag), "{constraint} {tag}");
        }
        for (constraint, tag) in [
            (">= 3.12.0", "3.11.9"),
            (">= 3.12.0", "latest"),
            (">= 3.12.0", "3.13.0-rc1"),
            ("1.2.3", "1.2.4"),
            ("!=1.2.3", "1.2.3"),
            ("^1.2", "2.0"),
            ("*", "1.2.3.4"),
        ] {
            assert!(!have(constraint, tag), "{constraint} {tag}");
        }
        for bad in ["", "abc", ">=", "1.2 || "] {
            assert!(Versions::parse(bad).is_err(), "{bad}");
        }
    }
}
