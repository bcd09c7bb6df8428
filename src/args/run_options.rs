//! How commands run in a container: the flags that `run`, `from` and `build` share, and the settings they make.

use std::str::FromStr;

use builder_core::{
    AutoIds, Device, Dns, Error, IdMaps, Isolation, Limit, Network, Resources, Result, RunSettings, Security,
    Space, Spaces, UserSpace, Volume, parse_size,
};

use super::Globals;
use crate::settings::Environment;

/// How commands run
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How commands run")]
pub struct RunOptions {
    /// Add a line to /etc/hosts: NAME:ADDRESS, or NAME:host-gateway for the host, which by itself is
    /// host.containers.internal there
    #[arg(long, value_name = "HOST:IP")]
    add_host: Vec<String>,
    /// Let commands do more than the usual capabilities allow: CAP_NAME, or all
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_add: Vec<String>,
    /// Let commands do less: CAP_NAME, or all; wins over --cap-add
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_drop: Vec<String>,
    /// Make the control group in this one; from the root of the hierarchy if it begins with a slash
    #[arg(long, value_name = "GROUP")]
    cgroup_parent: Option<String>,
    /// Look in this directory for the descriptions of devices that are named vendor.com/class=name (default: /etc/cdi
    /// and /var/run/cdi)
    #[arg(long, value_name = "DIR")]
    cdi_config_dir: Vec<std::path::PathBuf>,
    /// The control group namespace: private, host, or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    cgroupns: Option<String>,
    /// Microseconds in which --cpu-quota may be used up
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<u64>,
    /// Microseconds of processor time in each --cpu-period (100000 unless set)
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    cpu_quota: Option<i64>,
    /// Weight where processor time is short (1024 is usual)
    #[arg(long, short = 'c', value_name = "SHARES")]
    cpu_shares: Option<u64>,
    /// Processors to run on, such as 0-3,5
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes to use, such as 0-1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Show a device of the host, or those in a directory: HOST[:CONTAINER[:rwm]]
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// Use this name server; none leaves the image's /etc/resolv.conf alone
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    dns: Vec<String>,
    /// Set an option of the resolver
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION", value_delimiter = ',')]
    dns_option: Vec<String>,
    /// Look short names up in this domain; a single . for none
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',')]
    dns_search: Vec<String>,
    /// Put the user into one more group of the image, or keep-groups for the caller's own groups
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    group_add: Vec<String>,
    /// With false, do not pass on http_proxy, https_proxy, ftp_proxy, all_proxy and no_proxy
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    http_proxy: Option<bool>,
    /// The IPC namespace: private, host, or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    ipc: Option<String>,
    /// How commands are kept apart: oci (by Kiln itself, or by the program that --runtime names), rootless (the same),
    /// chroot (where namespaces are refused) [env: BUILDAH_ISOLATION]
    #[arg(long, value_name = "TYPE")]
    isolation: Option<String>,
    /// Limit memory: a number with b, k, m or g
    #[arg(long, short, value_name = "SIZE")]
    memory: Option<String>,
    /// Limit memory and swap together; -1 for any swap
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// The network: host, none (a loopback device), private (one of its own, joined to the host's by pasta or
    /// slirp4netns, whichever is there), pasta[:OPTIONS], slirp4netns[:OPTIONS], ns:PATH (default: host; for an
    /// ordinary user private, where pasta works)
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    network: Option<String>,
    /// Leave the image's /etc/hosts alone
    #[arg(long)]
    no_hosts: bool,
    /// Leave the image's /etc/hostname alone
    #[arg(long)]
    no_hostname: bool,
    /// The process namespace: private, host, or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    pid: Option<String>,
    /// seccomp=FILE or unconfined, label=disable or (user|role|type|level|filetype):VALUE for SELinux,
    /// apparmor=PROFILE or unconfined, mask=PATH[:PATH], unmask=PATH[:PATH] or ALL, no-new-privileges
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// The size of /dev/shm (default: 64m)
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Limit each process: NAME=SOFT[:HARD], or host for the caller's limits
    #[arg(long, value_name = "LIMIT", value_delimiter = ',')]
    ulimit: Vec<String>,
    /// The user namespace: host, private (the command's own, with the ids of --userns-uid-map, else with ours),
    /// auto[:size=N,uidmapping=…,gidmapping=…] (for `from` and `build`: ids that no other container has, of those that
    /// /etc/subuid gives to the user `containers`), or the path of one (default: private where ids are mapped, else
    /// host)
    #[arg(long, value_name = "NAMESPACE")]
    userns: Option<String>,
    /// Users of the container that are others outside; as root on files whose file system can show that. A layer has
    /// the container's ids, and so has what `mount` shows (default: as --userns-gid-map)
    #[arg(long, value_name = "INSIDE:OUTSIDE:LENGTH")]
    userns_uid_map: Vec<String>,
    /// Groups of the container that are others outside (default: as --userns-uid-map)
    #[arg(long, value_name = "INSIDE:OUTSIDE:LENGTH")]
    userns_gid_map: Vec<String>,
    /// Map users to those that /etc/subuid gives to this user (default: the name of --userns-gid-map-group)
    #[arg(long, value_name = "USER")]
    userns_uid_map_user: Option<String>,
    /// Map groups to those that /etc/subgid gives to this group (default: the name of --userns-uid-map-user)
    #[arg(long, value_name = "GROUP")]
    userns_gid_map_group: Option<String>,
    /// The host name namespace: private, host, or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    uts: Option<String>,
    /// Mount a directory or file of the host: HOST:CONTAINER[:OPTIONS]; options are ro, rw, O (changes are dropped, or
    /// kept in upperdir=DIR with an empty workdir=DIR), z, Z, U (given to the container's user), [no]exec, [no]suid,
    /// [no]dev, [r]bind, [r]private, [r]slave, [r]shared, idmap; nocopy, cached and delegated are so anyway
    #[arg(long, short, value_name = "VOLUME")]
    volume: Vec<String>,
}

impl RunOptions {
    /// The settings that the flags make.
    pub fn settings(&self, globals: &Globals) -> Result<RunSettings> {
        let mut security = Security::default();
        self.security_opt.iter().try_for_each(|text| security.add(text))?;
        let space = |flag: &str, text: &Option<String>| {
            text.as_deref().map(|text| Space::parse(flag, text)).transpose()
        };
        let isolation = self.isolation.clone();
        let dns = Dns::parse(&self.dns, &self.dns_search, &self.dns_option)?;
        if self.network.as_deref() == Some("none") && dns != Dns::default() && !dns.none {
            return Err(Error::invalid("cannot set name servers for a command without a network")
                .hint("leave --dns, --dns-search and --dns-option away, or use another --network"));
        }
        let settings = RunSettings {
            add_hosts: all(&self.add_host)?,
            cap_add: self.cap_add.clone(),
            cap_drop: self.cap_drop.clone(),
            devices: all::<Device>(&self.device)?,
            cdi_dirs: self.cdi_config_dir.clone(),
            dns,
            groups: self.group_add.clone(),
            http_proxy: self.http_proxy,
            isolation: isolation.as_deref().map(Isolation::from_str).transpose()?,
            limits: all::<Limit>(&self.ulimit)?,
            resources: self.resources()?,
            namespaces: Spaces {
                cgroup: space("--cgroupns", &self.cgroupns)?,
                ipc: space("--ipc", &self.ipc)?,
                pid: space("--pid", &self.pid)?,
                uts: space("--uts", &self.uts)?,
            },
            network: self.network.as_deref().map(Network::from_str).transpose()?,
            no_hosts: self.no_hosts,
            no_hostname: self.no_hostname,
            security,
            shm_size: self.shm_size.as_deref().map(shm_size).transpose()?,
            users: self.users(globals)?,
            volumes: all::<Volume>(&self.volume)?,
            ..RunSettings::default()
        };
        Ok(settings)
    }

    /// The user namespace that the flags ask for; `globals` has the maps that hold where they say nothing.
    fn users(&self, globals: &Globals) -> Result<Option<UserSpace>> {
        let name = |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
        let user = name(&self.userns_uid_map_user, &self.userns_gid_map_group);
        let group = name(&self.userns_gid_map_group, &self.userns_uid_map_user);
        let mut maps = match (user, group) {
            (Some(user), Some(group)) => IdMaps::of_names("/etc".as_ref(), &user, &group)?,
            _ => IdMaps::default(),
        };
        let either = |own: &Vec<String>, global: &Vec<String>| {
            if own.is_empty() { global.clone() } else { own.clone() }
        };
        let uids = either(&self.userns_uid_map, &globals.userns_uid_map);
        let gids = either(&self.userns_gid_map, &globals.userns_gid_map);
        maps.uids.extend(IdMaps::parse("--userns-uid-map", &uids)?);
        maps.gids.extend(IdMaps::parse("--userns-gid-map", &gids)?);
        if maps.uids.is_empty() {
            maps.uids.clone_from(&maps.gids);
        } else if maps.gids.is_empty() {
            maps.gids.clone_from(&maps.uids);
        }
        let mapped = maps != IdMaps::default();
        let fault = |because: &str| {
            Err(Error::invalid(format!(
                "cannot use `--userns {}`",
                self.userns.as_deref().unwrap_or_default()
            ))
            .because(because))
        };
        match self.userns.as_deref() {
            None if mapped => Ok(Some(UserSpace::Private(maps))),
            None => Ok(None),
            Some("host") if mapped => fault("ids are mapped by a user namespace of the container's own")
                .map_err(|error| error.hint("leave --userns away, or the maps")),
            Some("host") => Ok(Some(UserSpace::Host)),
            Some("" | "private" | "container") => Ok(Some(UserSpace::Private(maps))),
            Some(word) if word.starts_with("auto") => match AutoIds::parse(word) {
                Some(_) if mapped => fault("its ids are chosen, and here are maps")
                    .map_err(|error| error.hint("leave the maps away, or pin ids: auto:uidmapping=…")),
                Some(asked) => asked.map(UserSpace::Auto).map(Some),
                None => fault("it is no namespace")
                    .map_err(|error| error.hint("use host, private, auto, or the path of one")),
            },
            Some(path) => {
                let path = path.strip_prefix("ns:").unwrap_or(path);
                if !path.starts_with('/') {
                    return fault("it is no namespace").map_err(|error| {
                        error.hint("use host, private, or the path of one: /proc/PID/ns/user")
                    });
                }
                if mapped {
                    return fault("a namespace that exists has maps already")
                        .map_err(|error| error.hint("leave the maps away"));
                }
                Ok(Some(UserSpace::Path(path.into())))
            }
        }
    }

    fn resources(&self) -> Result<Resources> {
        let resources = Resources {
            parent: self.cgroup_parent.clone(),
            // Zero is Buildah's word for no limit.
            cpu_period: self.cpu_period.filter(|period| *period != 0),
            cpu_quota: self.cpu_quota.filter(|quota| *quota != 0),
            cpu_shares: self.cpu_shares.filter(|shares| *shares != 0),
            cpuset_cpus: self.cpuset_cpus.clone().filter(|list| !list.is_empty()),
            cpuset_mems: self.cpuset_mems.clone().filter(|list| !list.is_empty()),
            memory: self
                .memory
                .as_deref()
                .map(Resources::parse_memory)
                .transpose()?
                .filter(|bytes| *bytes != 0),
            memory_swap: self.memory_swap.as_deref().map(Resources::parse_memory_swap).transpose()?,
        };
        resources.check()?;
        Ok(resources)
    }
}

/// Takes every word for what it says.
pub fn all<T: FromStr<Err = Error>>(texts: &[String]) -> Result<Vec<T>> {
    texts.iter().map(|text| text.parse()).collect()
}

/// Bytes of `--shm-size`; an empty word is the usual size.
fn shm_size(text: &str) -> Result<u64> {
    let text = if text.is_empty() { "64m" } else { text };
    parse_size(text).filter(|bytes| *bytes > 0).ok_or_else(|| {
        Error::invalid(format!("cannot use `--shm-size {text}`"))
            .because("it is no size above zero")
            .hint("write a number with b, k, m or g after it, for example `--shm-size 128m`")
    })
}

/// The proxy variables of the environment, as they are passed on to commands.
pub fn proxies() -> Vec<(String, String)> {
    const NAMES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"];
    let all = NAMES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_uppercase()]);
    all.filter_map(|name| Environment::text(&name).map(|value| (name, value))).collect()
}
