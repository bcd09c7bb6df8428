//! `registries.conf`: which registries there are, where they really are, and which must not be used
//! (containers-registries.conf(5), version 2; version 1 is read where the field's tools read it). Reading files is the
//! caller's business.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::name::Reference;

/// One file, or several put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Registries {
    /// Where names without a host are looked for.
    pub search: Vec<String>,
    /// What is done where a short name could mean several images.
    pub mode: ShortNames,
    /// The helpers asked for credentials; none for the files only.
    pub credential_helpers: Vec<String>,
    /// Full names of short ones.
    pub aliases: BTreeMap<String, String>,
    registries: Vec<Entry>,
    sources: Sources,
}

/// `short-name-mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ShortNames {
    /// One search registry, or someone who is asked.
    Enforcing,
    /// As enforcing; with nobody to ask, all of them in turn.
    #[default]
    Permissive,
    /// All of them in turn.
    Disabled,
}

/// Where an image is fetched from: one of its mirrors, or its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The image's name there.
    pub name: Reference,
    /// Whether plain HTTP and any certificate will do.
    pub insecure: bool,
    /// Whether it is the registry itself and not a mirror.
    pub primary: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    prefix: String,
    /// Where it really is; none for a wildcard that only sets properties.
    location: Option<String>,
    insecure: bool,
    blocked: bool,
    mirrors: Vec<Mirror>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirror {
    location: String,
    insecure: bool,
    use_for: UseFor,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum UseFor {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

/// The file, as written. Unknown keys are for other programs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<ShortNames>,
    #[serde(default)]
    credential_helpers: Vec<String>,
    #[serde(default)]
    registry: Vec<RegistryTable>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    /// Version 1.
    registries: Option<Version1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RegistryTable {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<MirrorTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct MirrorTable {
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<UseFor>,
}

#[derive(Debug, Default, Deserialize)]
struct Version1 {
    #[serde(default)]
    search: Hosts,
    #[serde(default)]
    insecure: Hosts,
    #[serde(default)]
    block: Hosts,
}

#[derive(Debug, Default, Deserialize)]
struct Hosts {
    #[serde(default)]
    registries: Vec<String>,
}

/// `BUILD_REGISTRY_SOURCES`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sources {
    #[serde(default)]
    insecure_registries: Vec<String>,
    #[serde(default)]
    blocked_registries: Vec<String>,
    #[serde(default)]
    allowed_registries: Vec<String>,
}

impl Registries {
    /// Adds the text of the file at `path`; what it says counts more than what is there. `drop_in` files must be of
    /// version 2.
    pub fn add(&mut self, path: &str, text: &str, drop_in: bool) -> Result<()> {
        let refuse = |why: String| {
            Error::corrupt(format!("cannot use `{path}`")).because(why).hint(
                "correct it as containers-registries.conf(5) says, or name another: --registries-conf FILE",
            )
        };
        let file: File = toml::from_str(text).map_err(|cause| {
            let start = cause.span().map_or(0, |span| span.start.min(text.len()));
            refuse(format!("line {}: {}", 1 + text[..start].matches('\n').count(), cause.message()))
        })?;
        let version2 = file.unqualified_search_registries.is_some() || !file.registry.is_empty();
        match file.registries {
            Some(_) if version2 => return Err(refuse("it is of version 1 and of version 2".to_owned())),
            Some(_) if drop_in => return Err(refuse("it is of version 1".to_owned())),
            Some(old) => return self.add_version1(old).map_err(refuse),
            None => {}
        }
        if let Some(search) = file.unqualified_search_registries {
            self.search =
                search.iter().map(|host| location(host)).collect::<Result<_, _>>().map_err(refuse)?;
        }
        self.mode = file.short_name_mode.unwrap_or(self.mode);
        if !file.credential_helpers.is_empty() {
            self.credential_helpers = file.credential_helpers;
        }
        for table in file.registry {
            let entry = Entry::new(table).map_err(refuse)?;
            self.registries.retain(|known| known.prefix != entry.prefix);
            self.registries.push(entry);
        }
        self.add_aliases(file.aliases);
        Ok(())
    }

    /// Adds aliases; an empty one takes an alias away.
    fn add_aliases(&mut self, aliases: BTreeMap<String, String>) {
        for (short, full) in aliases {
            if full.is_empty() {
                self.aliases.remove(&short);
            } else {
                self.aliases.insert(short, full);
            }
        }
    }

    fn add_version1(&mut self, old: Version1) -> Result<(), String> {
        self.search = old.search.registries.iter().map(|host| location(host)).collect::<Result<_, _>>()?;
        for (hosts, blocked) in [(old.insecure, false), (old.block, true)] {
            for host in hosts.registries {
                let prefix = location(&host)?;
                let known = self.registries.iter_mut().find(|known| known.prefix == prefix);
                if let Some(known) = known {
                    known.blocked |= blocked;
                    known.insecure |= !blocked;
                } else {
                    let location = Some(prefix.clone());
                    self.registries.push(Entry {
                        prefix,
                        location,
                        insecure: !blocked,
                        blocked,
                        mirrors: Vec::new(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Adds `BUILD_REGISTRY_SOURCES`.
    pub fn add_sources(&mut self, text: &str) -> Result<()> {
        self.sources = serde_json::from_str(text).map_err(|cause| {
            Error::invalid("cannot use BUILD_REGISTRY_SOURCES")
                .because(cause)
                .hint(r#"write it as {"allowedRegistries": ["HOST"], "blockedRegistries": ["HOST"]}"#)
        })?;
        Ok(())
    }

    /// Where `name` is fetched from: its mirrors and its registry, in the order they are tried.
    pub fn to_pull(&self, name: &Reference) -> Result<Vec<Endpoint>> {
        let Some((entry, matched)) = self.entry(name) else { return Ok(vec![self.primary(name, None)?]) };
        let mut found = Vec::new();
        for mirror in &entry.mirrors {
            let fits = match mirror.use_for {
                UseFor::All => true,
                UseFor::DigestOnly => name.digest().is_some(),
                UseFor::TagOnly => name.digest().is_none(),
            };
            if fits {
                let insecure = mirror.insecure;
                found.push(Endpoint {
                    name: moved(name, matched, &mirror.location)?,
                    insecure,
                    primary: false,
                });
            }
        }
        found.push(self.primary(name, Some((entry, matched)))?);
        Ok(found)
    }

    /// Where `name` is pushed to, or deleted from: never a mirror.
    pub fn to_push(&self, name: &Reference) -> Result<Endpoint> {
        self.primary(name, self.entry(name))
    }

    fn primary(&self, name: &Reference, entry: Option<(&Entry, usize)>) -> Result<Endpoint> {
        self.permit(name)?;
        let insecure = self.sources.insecure_registries.iter().any(|host| host == name.host());
        let Some((entry, matched)) = entry else {
            return Ok(Endpoint { name: name.clone(), insecure, primary: true });
        };
        if entry.blocked {
            return Err(Error::new(Kind::Denied, format!("cannot use `{name}`"))
                .because(format!("`{}` is blocked", entry.prefix))
                .hint("see `blocked` in registries.conf and registries.conf.d"));
        }
        let there = match &entry.location {
            Some(location) => moved(name, matched, location)?,
            None => name.clone(),
        };
        Ok(Endpoint { name: there, insecure: insecure || entry.insecure, primary: true })
    }

    /// Fails where `BUILD_REGISTRY_SOURCES` forbids the registry.
    fn permit(&self, name: &Reference) -> Result<()> {
        let Sources { blocked_registries, allowed_registries, .. } = &self.sources;
        let has = |list: &[String]| list.iter().any(|host| host == name.host());
        if has(blocked_registries) || !allowed_registries.is_empty() && !has(allowed_registries) {
            return Err(Error::new(Kind::Denied, format!("cannot use `{name}`"))
                .because(format!("access to `{}` is not allowed", name.host()))
                .hint("see BUILD_REGISTRY_SOURCES in the environment"));
        }
        Ok(())
    }

    /// The entry with the longest prefix that fits, and how much of the name it covers.
    fn entry(&self, name: &Reference) -> Option<(&Entry, usize)> {
        let text = name.to_string();
        let fitting =
            self.registries.iter().filter_map(|entry| Some((entry, covered(&entry.prefix, &text)?)));
        fitting.max_by_key(|(entry, covered)| (*covered, entry.prefix.len()))
    }
}

impl Entry {
    fn new(table: RegistryTable) -> Result<Self, String> {
        let prefix = location(if table.prefix.is_empty() { &table.location } else { &table.prefix })?;
        let wild = prefix.starts_with("*.");
        if prefix.strip_prefix("*.").unwrap_or(&prefix).contains('*') {
            return Err(format!("the prefix `{prefix}` has a `*` in another place than its beginning `*.`"));
        }
        if table.location.is_empty() && !wild && table.prefix.is_empty() {
            return Err("a registry has neither a prefix nor a location".to_owned());
        }
        let place = if table.location.is_empty() { None } else { Some(location(&table.location)?) };
        if place.is_none() && !wild {
            return Err(format!("the registry `{prefix}` has no location"));
        }
        let mirrors = table.mirror.into_iter().map(|mirror| {
            if table.mirror_by_digest_only && mirror.pull_from_mirror.is_some() {
                return Err(format!(
                    "`{prefix}` has mirror-by-digest-only, and pull-from-mirror in a mirror"
                ));
            }
            let by_digest = if table.mirror_by_digest_only { UseFor::DigestOnly } else { UseFor::All };
            let use_for = mirror.pull_from_mirror.unwrap_or(by_digest);
            Ok(Mirror { location: location(&mirror.location)?, insecure: mirror.insecure, use_for })
        });
        let mirrors = mirrors.collect::<Result<_, _>>()?;
        Ok(Entry { prefix, location: place, insecure: table.insecure, blocked: table.blocked, mirrors })
    }
}

/// A location as it is compared: no scheme, no slash at its end.
fn location(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    if trimmed.is_empty() {
        return Err("a location is empty".to_owned());
    }
    if trimmed.contains("://") {
        return Err(format!("the location `{trimmed}` has a scheme; it is HOST[:PORT][/PATH]"));
    }
    Ok(trimmed.to_owned())
}

/// How many bytes of `name` the prefix covers, if it fits: up to a whole part of the name.
fn covered(prefix: &str, name: &str) -> Option<usize> {
    let ends = |at: usize| matches!(name.as_bytes().get(at), None | Some(b'/' | b':' | b'@'));
    if let Some(domain) = prefix.strip_prefix('*') {
        // `.example.com` or `.example.com/path`, at the end of a host.
        let host = name.split('/').next().unwrap_or(name);
        let domain_host = domain.split('/').next().unwrap_or(domain);
        let start = host
            .split(':')
            .next()
            .unwrap_or(host)
            .strip_suffix(domain_host)
            .or_else(|| host.strip_suffix(domain_host))?
            .len();
        let end = start + domain.len();
        return (start > 0 && name.get(start..end) == Some(domain) && ends(end)).then_some(end);
    }
    (name.starts_with(prefix) && ends(prefix.len())).then_some(prefix.len())
}

/// `name` with its first `matched` bytes replaced by `location`.
fn moved(name: &Reference, matched: usize, location: &str) -> Result<Reference> {
    format!("{location}{}", &name.to_string()[matched..]).parse()
}
