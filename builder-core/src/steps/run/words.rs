//! What the words of the run flags mean: host entries, limits, sizes, namespaces, networks, security options.
//!
//! Each is taken in the form Buildah takes it. A word that makes no sense is one sentence with that word in it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};
use crate::sandbox::{Network, Resources, SlirpOptions, Space};
use crate::steps::run::settings::{Dns, HostAddress, HostEntry, Isolation, Limit, Seccomp, Security};

/// Longer than any word that makes sense here; what is longer is not repeated in a message.
const MAX_WORD: usize = 4096;

/// Refuses what cannot be an option of an OCI runtime: a name without dashes before it, perhaps with `=` and a value.
pub(super) fn check_runtime_flag(flag: &str) -> Result<()> {
    let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_name && flag.len() <= MAX_WORD && !value.contains(char::is_control) {
        return Ok(());
    }
    let shown: String = flag.chars().take(64).collect::<String>().escape_debug().to_string();
    Err(Error::invalid(format!("cannot pass `{shown}` to the runtime"))
        .because("it is no option of a program")
        .hint("name one without its dashes: --runtime-flag debug, or --runtime-flag log=FILE"))
}

/// Bytes: a number, then perhaps one of `b k m g t p` with or without `ib` or `b`, all powers of 1024.
pub fn parse_size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let power = match unit.trim_start() {
        "" | "b" => 0,
        unit => {
            let place = "kmgtp".find(unit.chars().next()?)?;
            matches!(&unit[1..], "" | "b" | "ib").then_some(place as i32 + 1)?
        }
    };
    let whole = number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit())
        && number.bytes().filter(|byte| *byte == b'.').count() <= 1;
    if !whole {
        return None;
    }
    if !number.contains('.') {
        let unit = 1_u64.checked_shl(10 * power as u32)?;
        return number.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| *bytes <= i64::MAX as u64);
    }
    let bytes = number.parse::<f64>().ok()? * 1024_f64.powi(power);
    (bytes < i64::MAX as f64).then_some(bytes as u64)
}

impl FromStr for HostEntry {
    type Err = Error;

    /// Takes `name:address`, `name;name:address`, `name=address`; the address may be `host-gateway`.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |because: &str| {
            Error::invalid(format!("cannot add the host `{}`", short(text)))
                .because(because.to_owned())
                .hint("write it as NAME:ADDRESS, for example `--add-host db:10.0.0.7`")
        };
        let (names, address) = match text.split_once('=') {
            Some(parts) => parts,
            None => text.split_once(':').ok_or_else(|| fault("it has no address"))?,
        };
        let names: Vec<String> = names.split(';').map(str::to_owned).collect();
        let is_name = |name: &String| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii();
            !name.is_empty() && name.len() <= 253 && name.chars().all(|c| fits(c) && !c.is_control())
        };
        if !names.iter().all(is_name) {
            return Err(fault("the part before the colon is no host name"));
        }
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        let address = match bare {
            "host-gateway" => HostAddress::HostGateway,
            bare => HostAddress::Ip(
                bare.parse().map_err(|_| fault(&format!("`{}` is no IP address", short(bare))))?,
            ),
        };
        Ok(HostEntry { names, address })
    }
}

impl Dns {
    /// Of the words of `--dns`, `--dns-search` and `--dns-option`.
    pub fn parse(servers: &[String], search: &[String], options: &[String]) -> Result<Dns> {
        let none = servers.iter().any(|server| server == "none");
        if none && servers.len() > 1 {
            return Err(Error::invalid("cannot use `--dns none` with other name servers")
                .hint("leave one of the two away"));
        }
        let parse = |text: &String| {
            text.parse::<IpAddr>().map_err(|_| {
                Error::invalid(format!("cannot use the name server `{}`", short(text)))
                    .because("it is no IP address")
                    .hint(
                        "write for example `--dns 9.9.9.9`, or `--dns none` to keep the image's resolv.conf",
                    )
            })
        };
        let servers = if none { Vec::new() } else { servers.iter().map(parse).collect::<Result<_>>()? };
        for (flag, words) in [("--dns-search", search), ("--dns-option", options)] {
            let fits = |word: &&String| {
                word.is_empty()
                    || word.len() > 253
                    || word.contains(|c: char| c.is_whitespace() || c.is_control())
            };
            if let Some(word) = words.iter().find(fits) {
                return Err(Error::invalid(format!("cannot use `{flag} {}`", short(word).escape_debug()))
                    .because("it is not one word of resolv.conf")
                    .hint("give one at a time: --dns-search example.com --dns-option ndots:2"));
            }
        }
        if none && (!search.is_empty() || !options.is_empty()) {
            return Err(Error::invalid("cannot use `--dns none` with --dns-search or --dns-option")
                .because("the image's own resolv.conf is left alone")
                .hint("leave one of them away"));
        }
        Ok(Dns { none, servers, search: search.to_vec(), options: options.to_vec() })
    }
}

impl FromStr for Limit {
    type Err = Error;

    /// Takes `name=soft`, `name=soft:hard` and `host`; -1 and `unlimited` are no limit.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |because: String| {
            Error::invalid(format!("cannot use the limit `{}`", short(text))).because(because).hint(
                "write it as NAME=SOFT:HARD, for example `--ulimit nofile=1024:4096`, or `--ulimit host`",
            )
        };
        if text == "host" {
            return Ok(Limit { name: text.to_owned(), soft: u64::MAX, hard: u64::MAX });
        }
        let (name, values) = text.split_once('=').ok_or_else(|| fault("it has no value".into()))?;
        if crate::sys::spawn::resource(name).is_none() {
            return Err(fault(format!("there is no resource `{}`", short(name))));
        }
        let number = |text: &str| match text {
            "-1" | "unlimited" => Ok(u64::MAX),
            text => text.parse().map_err(|_| fault(format!("`{}` is no number", short(text)))),
        };
        let (soft, hard) = match values.split_once(':') {
            Some((soft, hard)) => (number(soft)?, number(hard)?),
            None => (number(values)?, number(values)?),
        };
        if soft > hard {
            return Err(fault(format!("the soft limit {soft} is above the hard limit {hard}")));
        }
        Ok(Limit { name: name.to_owned(), soft, hard })
    }
}

impl Resources {
    /// Bytes of `--memory`.
    pub fn parse_memory(text: &str) -> Result<u64> {
        parse_size(text).ok_or_else(|| size_fault("--memory", text))
    }

    /// Bytes of `--memory-swap`, or -1.
    pub fn parse_memory_swap(text: &str) -> Result<i64> {
        if text == "-1" {
            return Ok(-1);
        }
        let bytes = parse_size(text).ok_or_else(|| size_fault("--memory-swap", text))?;
        i64::try_from(bytes).map_err(|_| size_fault("--memory-swap", text))
    }

    /// Refuses what contradicts itself.
    pub fn check(&self) -> Result<()> {
        let fault = |flag: &str, value: &dyn std::fmt::Display, because: &str| {
            Err(Error::invalid(format!("cannot use `{flag} {value}`")).because(because.to_owned()))
        };
        if let Some(swap) = self.memory_swap.filter(|swap| *swap > 0) {
            match self.memory {
                None => {
                    return Err(Error::invalid(format!("cannot use `--memory-swap {swap}`"))
                        .because("it is memory and swap together, and there is no limit of memory")
                        .hint("add `--memory`"));
                }
                Some(memory) if swap.unsigned_abs() < memory => {
                    return fault(
                        "--memory-swap",
                        &swap,
                        "it is memory and swap together, and less than --memory",
                    );
                }
                Some(_) => {}
            }
        }
        if let Some(shares) = self.cpu_shares.filter(|shares| !(2..=262_144).contains(shares)) {
            return fault("--cpu-shares", &shares, "it must be from 2 to 262144");
        }
        if let Some(period) = self.cpu_period.filter(|period| !(1000..=1_000_000).contains(period)) {
            return fault("--cpu-period", &period, "it must be from 1000 to 1000000 microseconds");
        }
        if let Some(quota) = self.cpu_quota.filter(|quota| *quota != -1 && *quota < 1000) {
            return fault("--cpu-quota", &quota, "it must be 1000 microseconds or more, or -1 for none");
        }
        for (flag, list) in [("--cpuset-cpus", &self.cpuset_cpus), ("--cpuset-mems", &self.cpuset_mems)] {
            if let Some(list) = list.as_deref().filter(|list| !is_list(list)) {
                return Err(Error::invalid(format!("cannot use `{flag} {}`", short(list)))
                    .because("it is no list of numbers")
                    .hint(format!("write for example `{flag} 0-3,5`")));
            }
        }
        let parent = self.parent.as_deref().unwrap_or("group");
        let fits = |part: &str| {
            !matches!(part, "" | "." | "..") && part.len() <= 255 && !part.contains(char::is_control)
        };
        if parent.len() > MAX_WORD || !parent.strip_prefix('/').unwrap_or(parent).split('/').all(fits) {
            return Err(Error::invalid(format!(
                "cannot use the control group `{}`",
                short(parent).escape_debug()
            ))
            .because("it leads out of where control groups are, or is no path of one")
            .hint("write for example `--cgroup-parent /builds`"));
        }
        Ok(())
    }
}

fn is_list(text: &str) -> bool {
    let number = |part: &str| part.parse::<u16>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
    text.len() < 512
        && text.split(',').all(|part| match part.split_once('-') {
            Some((from, to)) => number(from).is_some_and(|from| number(to).is_some_and(|to| from <= to)),
            None => number(part).is_some(),
        })
}

fn size_fault(flag: &str, text: &str) -> Error {
    Error::invalid(format!("cannot use `{flag} {}`", short(text)))
        .because("it is no size")
        .hint(format!("write a number with b, k, m or g after it, for example `{flag} 512m`"))
}

impl Space {
    /// Takes `private`, `container`, an empty word, `host`, a path, or `ns:` and a path. `flag` is for the message.
    pub fn parse(flag: &str, text: &str) -> Result<Space> {
        match text {
            "" | "private" | "container" => return Ok(Space::Private),
            "host" => return Ok(Space::Host),
            _ => {}
        }
        let path = text.strip_prefix("ns:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Space::Path(PathBuf::from(path)));
        }
        Err(Error::invalid(format!("cannot use `{flag} {}`", short(text)))
            .because("it is neither `private` nor `host` nor the path of a namespace")
            .hint(format!("write for example `{flag} host` or `{flag} /proc/4711/ns/{}`", &flag[2..])))
    }
}

impl FromStr for Network {
    type Err = Error;

    /// Takes `host`, `none`, `private`, `pasta` and `slirp4netns` (with options after a colon), `ns:PATH`.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |kind, because: &str| {
            Error::new(kind, format!("cannot use the network `{}`", short(text))).because(because.to_owned())
        };
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        match (word, rest) {
            ("host", "") => Ok(Network::Host),
            ("none", "") => Ok(Network::None),
            ("" | "private" | "container", "") => Ok(Network::Private { named: false, options: Vec::new() }),
            ("pasta", options) => {
                let words = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned);
                Ok(Network::Private { named: true, options: words.collect() })
            }
            ("ns", path) if path.starts_with('/') => Ok(Network::Path(path.into())),
            _ if text.starts_with('/') => Ok(Network::Path(text.into())),
            ("ns", _) => Err(fault(Kind::Invalid, "the path of a namespace starts with a slash")
                .hint("write for example `--network ns:/run/netns/blue`")),
            ("slirp4netns", options) => {
                let words = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned);
                let options: Vec<String> = words.collect();
                SlirpOptions::parse(&options)?;
                Ok(Network::Slirp { options })
            }
            _ => Err(fault(Kind::NotFound, "there are no named networks")
                .hint("use --network host, none, private or ns:PATH")),
        }
    }
}

impl FromStr for Isolation {
    type Err = Error;

    /// Takes `oci`, `rootless` (the same: an ordinary user needs no other) and `chroot`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "oci" | "rootless" | "default" => Ok(Isolation::Oci),
            "chroot" => Ok(Isolation::Chroot),
            _ => Err(Error::invalid(format!("cannot use the isolation `{}`", short(text)))
                .because("there is none of this name")
                .hint("use --isolation oci, rootless or chroot")),
        }
    }
}

impl Security {
    /// Adds one word of `--security-opt`.
    pub fn add(&mut self, text: &str) -> Result<()> {
        let fault = |because: &str| {
            Error::invalid(format!("cannot use the security option `{}`", short(text)))
                .because(because.to_owned())
                .hint("use seccomp=, label=, apparmor=, mask=, unmask= or no-new-privileges")
        };
        let (name, value) = match text.split_once(['=', ':']) {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let paths = |value: &str| value.split(':').map(str::to_owned).collect::<Vec<_>>();
        match (name, value) {
            ("no-new-privileges", None | Some("true")) => self.no_new_privileges = true,
            ("no-new-privileges", Some("false")) => self.no_new_privileges = false,
            ("seccomp", Some("unconfined")) => self.seccomp = Some(Seccomp::Unconfined),
            ("seccomp", Some(path)) if !path.is_empty() => self.seccomp = Some(Seccomp::Profile(path.into())),
            ("mask", Some(value)) if value.split(':').all(|path| path.starts_with('/')) => {
                self.mask.extend(paths(value));
            }
            ("mask", Some(_)) => return Err(fault("a path to hide starts with a slash")),
            ("unmask", Some(value)) if value.eq_ignore_ascii_case("all") => self.unmask.push("ALL".into()),
            ("unmask", Some(value)) if value.split(':').all(|path| path.starts_with('/')) => {
                self.unmask.extend(paths(value));
            }
            ("unmask", Some(_)) => return Err(fault("a path to show starts with a slash, or it is `ALL`")),
            ("label", Some(value)) => {
                let (key, rest) = value.split_once(':').unwrap_or((value, ""));
                let known = match key {
                    "disable" => rest.is_empty(),
                    "user" | "role" | "type" | "level" | "filetype" => !rest.is_empty(),
                    _ => false,
                };
                if !known {
                    return Err(fault(
                        "a label is disable, or user:, role:, type:, level:, filetype: and a value",
                    ));
                }
                self.label.push(value.to_owned());
            }
            ("apparmor", Some(profile)) if !profile.is_empty() => self.apparmor = Some(profile.to_owned()),
            ("seccomp" | "label" | "apparmor" | "mask" | "unmask", _) => {
                return Err(fault("it has no value"));
            }
            _ => return Err(fault("there is no such option")),
        }
        Ok(())
    }
}

/// A word as a message shows it.
pub(crate) fn short(text: &str) -> String {
    if text.len() <= MAX_WORD / 16 {
        return text.to_owned();
    }
    let head: String = text.chars().take(64).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests;
