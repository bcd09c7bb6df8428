//! What a command learns of its surroundings: variables, host names, name servers, and that it is contained.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

use crate::error::{Context, Error, Kind, Result};
use crate::sandbox::{self, Facts, File, Mount, Network, SlirpOptions};
use crate::steps::run::settings::{HostAddress, HostName};
use crate::steps::run::{Run, RunConfig};
use crate::tree::users::User;
use crate::tree::{RelPath, Root};

/// Where programs are looked for unless the image or the caller says otherwise.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a container calls the host, in Podman's words and in Docker's.
const HOST_NAMES: [&str; 2] = ["host.containers.internal", "host.docker.internal"];

/// No file of the host that is shown to a container is read beyond this many bytes.
const HOST_FILE_LIMIT: u64 = 1 << 20;

impl Run {
    /// The whole environment: nothing of the caller's is in it that was not asked for, but proxies.
    pub(super) fn environment(
        &self,
        config: &RunConfig,
        user: &User,
        hostname: &str,
    ) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (key, value) in self.settings.env.iter().chain(&config.env).chain(&self.env) {
            match all.iter_mut().find(|(known, _)| known == key) {
                Some(entry) => entry.1.clone_from(value),
                None => all.push((key.clone(), value.clone())),
            }
        }
        let mut default = |key: &str, value: &str| {
            if !all.iter().any(|(known, _)| known == key) {
                all.push((key.to_owned(), value.to_owned()));
            }
        };
        default("PATH", DEFAULT_PATH);
        default("HOSTNAME", hostname);
        default("HOME", user.home.as_deref().unwrap_or("/"));
        if self.terminal {
            default("TERM", "xterm");
        }
        if self.settings.http_proxy != Some(false) {
            self.proxies.iter().for_each(|(key, value)| default(key, value));
        }
        all
    }

    /// The files that tell a command of its surroundings, but for those a mount takes the place of.
    pub(super) fn files(
        &self,
        tree: &Root,
        config: &RunConfig,
        hostname: &str,
        network: &Network,
        mounts: &[Mount],
        facts: &Facts,
    ) -> Result<Vec<File>> {
        let mut files = Vec::new();
        let mut add = |at: &str, content: String| {
            let place = RelPath::clamp(at);
            if !mounts.iter().any(|mount| RelPath::clamp(&mount.at) == place) {
                files.push(File::new(at, content));
            }
        };
        if !self.settings.no_hosts {
            let host = match (self.settings.hosts_base.as_deref(), network) {
                (Some("none"), _) => Some(String::new()),
                (Some("image"), _) => Some(image_file(tree, "/etc/hosts")?),
                (Some(path), _) if !path.is_empty() => Some(host_file(path)?.unwrap_or_default()),
                (_, Network::None) => None,
                _ => Some(host_file("/etc/hosts")?.unwrap_or_default()),
            };
            let mut added = self.added_hosts(network)?;
            added.extend(self.host_names(network));
            add("/etc/hosts", sandbox::hosts(host.as_deref(), &added, hostname));
        }
        if !self.settings.no_hostname {
            add("/etc/hostname", format!("{hostname}\n"));
        }
        if let Some(text) = self.resolver(network)? {
            add("/etc/resolv.conf", text);
        }
        add("/run/.containerenv", container_facts(config, facts));
        Ok(files)
    }

    /// The lines that were asked for.
    fn added_hosts(&self, network: &Network) -> Result<Vec<(IpAddr, String)>> {
        let line = |entry: &super::HostEntry| {
            let address = match entry.address {
                HostAddress::Ip(address) => address,
                HostAddress::HostGateway => gateway(network)?,
            };
            Ok((address, entry.names.join(" ")))
        };
        self.settings.add_hosts.iter().map(line).collect()
    }

    /// The names of the host that every container knows, less those that were asked for with another address.
    fn host_names(&self, network: &Network) -> Option<(IpAddr, String)> {
        let asked = |name: &&str| {
            self.settings.add_hosts.iter().any(|entry| entry.names.iter().any(|known| known == name))
        };
        let names: Vec<&str> = HOST_NAMES.into_iter().filter(|name| !asked(name)).collect();
        let address = match (self.host_name, network) {
            _ if names.is_empty() => None,
            (HostName::Absent, _) => None,
            (HostName::Given(address), _) => Some(address),
            (HostName::Found, Network::Host) => Some(Ipv4Addr::LOCALHOST.into()),
            (HostName::Found, Network::None) => None,
            // Whoever made it may have joined it to ours.
            (HostName::Found, Network::Path(_)) => own_address().ok(),
            (HostName::Found, Network::Private { .. }) => gateway(network).ok(),
            // It connects as any program of the host does.
            (HostName::Found, Network::Slirp { .. }) => gateway(network).ok().or_else(|| own_address().ok()),
        };
        address.map(|address| (address, names.join(" ")))
    }

    /// What `/etc/resolv.conf` says, if it is not the image's own.
    fn resolver(&self, network: &Network) -> Result<Option<String>> {
        let dns = &self.settings.dns;
        let asked = !dns.servers.is_empty() || !dns.search.is_empty() || !dns.options.is_empty();
        // Whatever is usual: nobody answers there.
        if dns.none || *network == Network::None {
            return Ok(None);
        }
        let host = name_servers()?;
        if host.is_none() && !asked {
            return Ok(None);
        }
        let host = host.unwrap_or_default();
        let mut servers = dns.servers.clone();
        let unreachable = |text: &str| text.parse::<IpAddr>().is_ok_and(|server| server.is_loopback());
        // An address that the helper passes on to the host's own name server.
        let of_helper = match network {
            Network::Private { .. } => Some(sandbox::NAME_SERVER.parse().expect("it is an address")),
            Network::Slirp { options } => Some(IpAddr::V4(SlirpOptions::parse(options)?.name_server())),
            Network::Host | Network::None | Network::Path(_) => None,
        };
        if servers.is_empty() && sandbox::name_servers(&host).any(unreachable) {
            servers.extend(of_helper);
        }
        Ok(Some(sandbox::resolver(&host, &servers, &dns.search, &dns.options)))
    }
}

/// The address by which the command reaches the host.
fn gateway(network: &Network) -> Result<IpAddr> {
    let fault = |because: String| {
        Error::new(Kind::NotFound, "cannot find out the address for `host-gateway`")
            .because(because)
            .hint("give the address itself, for example `--add-host host:192.168.1.1`")
    };
    match network {
        // What is not the host's own network is told apart from it by no address that we know.
        Network::Host => own_address().map_err(|error| fault(error.to_string())),
        Network::Private { options, .. } => {
            match guest_address(options) {
                Some(address) => Ok(address),
                None if options.iter().any(|option| option == "--map-gw") => {
                    let routes = host_file("/proc/net/route")?.unwrap_or_default();
                    default_gateway(&routes).ok_or_else(|| fault("the host has no default route".into()))
                }
                None => Err(fault("this network has no way to the host".into())
                    .hint("use `--network pasta:--map-gw`")),
            }
        }
        Network::Slirp { options } => match SlirpOptions::parse(options)?.host() {
            Some(address) => Ok(address.into()),
            None => Err(fault("this network has no way to the host".into())
                .hint("use `--network slirp4netns:allow_host_loopback=true`")),
        },
        Network::None | Network::Path(_) => Err(fault("this network is not the host's".into())),
    }
}

/// The address that pasta has been told to pass on to the host.
fn guest_address(options: &[String]) -> Option<IpAddr> {
    let mut words = options.iter().flat_map(|option| option.split(['=', ' ']));
    words.find(|word| *word == "--map-guest-addr")?;
    words.next()?.parse().ok()
}

/// The address that packets to the world have. Asks the routes only; nothing is sent.
fn own_address() -> std::io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // An address for documentation (RFC 5737): no machine has it.
    socket.connect(SocketAddr::from(([203, 0, 113, 1], 9)))?;
    Ok(socket.local_addr()?.ip())
}

/// The gateway of the first default route of `/proc/net/route`; see proc(5).
fn default_gateway(routes: &str) -> Option<IpAddr> {
    let gateway = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (to, by) = (words.next()?, words.next()?);
        let by = u32::from_str_radix(by, 16).ok().filter(|by| to == "00000000" && *by != 0)?;
        Some(IpAddr::from(by.to_ne_bytes()))
    };
    routes.lines().skip(1).find_map(gateway)
}

/// A file of the host, if there is one; not of any size.
fn host_file(path: &str) -> Result<Option<String>> {
    let bytes = match path.starts_with("/proc/") {
        // Not a file of the disk, and made for whoever reads it.
        true => std::fs::read(path),
        false => Root::open_host(Path::new("/")).and_then(|root| root.read(path, HOST_FILE_LIMIT)),
    };
    match bytes {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).cannot("read", path),
    }
}

/// A file of the container, if there is one; not of any size.
fn image_file(tree: &Root, path: &str) -> Result<String> {
    match tree.read(path, HOST_FILE_LIMIT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).cannot("read", format_args!("{path} of the container")),
    }
}

/// The host's name servers. Where a local stub answers for them, the real ones: the stub may not hear a container.
fn name_servers() -> Result<Option<String>> {
    let text = host_file("/etc/resolv.conf")?;
    match text {
        Some(text) if sandbox::nameserver_is_stub(&text) => {
            Ok(host_file("/run/systemd/resolve/resolv.conf")?.or(Some(text)))
        }
        text => Ok(text),
    }
}

/// What `/run/.containerenv` says: how programs learn that, and in what, they are contained.
fn container_facts(config: &RunConfig, facts: &Facts) -> String {
    let RunConfig { name, id, image, image_id, .. } = config;
    let rootless = u8::from(facts.rootless);
    let engine = concat!("kiln-", env!("CARGO_PKG_VERSION"));
    format!(
        "engine={engine:?}\nname={name:?}\nid={id:?}\nimage={image:?}\nimageid={image_id:?}\nrootless={rootless}\n"
    )
}

#[cfg(test)]
mod tests;
