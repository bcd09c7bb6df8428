//! How commands run in a container: the flags that `run`, `from` and `build` share, and the settings they make.

use std::str::FromStr;

use builder_core::{
    Device, Dns, Error, Isolation, Kind, Limit, Network, Resources, Result, RunSettings, Security, Space,
    Spaces, Volume, parse_size,
};

use crate::settings::Environment;

/// How commands run
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How commands run")]
pub struct RunOptions {
    /// Add a line to /etc/hosts: NAME:ADDRESS, or NAME:host-gateway for the host
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
    /// The network: host, none (a loopback device), private or pasta[:OPTIONS] (one of its own, joined to the host's by
    /// the program pasta), ns:PATH (default: host)
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
    /// The user namespace: host, which is the caller's; others are refused
    #[arg(long, value_name = "NAMESPACE")]
    userns: Option<String>,
    /// Refused: files of a container are the caller's ids
    #[arg(long, value_name = "MAP")]
    userns_uid_map: Vec<String>,
    /// Refused: files of a container are the caller's ids
    #[arg(long, value_name = "MAP")]
    userns_gid_map: Vec<String>,
    /// Refused: files of a container are the caller's ids
    #[arg(long, value_name = "USER")]
    userns_uid_map_user: Option<String>,
    /// Refused: files of a container are the caller's ids
    #[arg(long, value_name = "GROUP")]
    userns_gid_map_group: Option<String>,
    /// The host name namespace: private, host, or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    uts: Option<String>,
    /// Mount a directory or file of the host: HOST:CONTAINER[:OPTIONS]; options are ro, rw, O (changes are dropped), z,
    /// Z, U (given to the container's user), [no]exec, [no]suid, [no]dev, [r]bind, [r]private, [r]slave, [r]shared
    #[arg(long, short, value_name = "VOLUME")]
    volume: Vec<String>,
}

impl RunOptions {
    /// The settings that the flags make.
    pub fn settings(&self) -> Result<RunSettings> {
        self.refuse_user_namespaces()?;
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
            volumes: all::<Volume>(&self.volume)?,
            ..RunSettings::default()
        };
        Ok(settings)
    }

    /// Every container is in the user namespace that Kiln is in, and its files have the ids of that.
    fn refuse_user_namespaces(&self) -> Result<()> {
        let fault = |flag: &str, value: &str| {
            Err(Error::new(Kind::Unsupported, format!("cannot use `{flag} {value}`"))
                .because("a container has no user namespace other than the caller's")
                .hint("as root leave it away; as an ordinary user ids are mapped by /etc/subuid and /etc/subgid"))
        };
        match self.userns.as_deref() {
            None | Some("" | "host") => {}
            Some(other) => return fault("--userns", other),
        }
        let maps = [("--userns-uid-map", &self.userns_uid_map), ("--userns-gid-map", &self.userns_gid_map)];
        if let Some((flag, map)) = maps.iter().find_map(|(flag, maps)| Some((flag, maps.first()?))) {
            return fault(flag, map);
        }
        match (&self.userns_uid_map_user, &self.userns_gid_map_group) {
            (Some(user), _) => fault("--userns-uid-map-user", user),
            (None, Some(group)) => fault("--userns-gid-map-group", group),
            (None, None) => Ok(()),
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
