//! What containers.conf says of how commands run, as the settings that all others are laid over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use builder_core::{
    Device, Dns, Error, Event, HostName, IdMaps, Limit, MountKind, MountOptions, Network, Reporter as _,
    Resources, Result, Run, RunMount, RunSettings, Seccomp, Security, Space, Spaces, Uplink, Uplinks,
    UserSpace, Volume, parse_size, usual_runtime,
};

use super::run_options::all;
use crate::cli::Context;
use crate::settings::{self, ContainersConf, Environment};
use crate::ui::Talk;

/// A profile that an administrator puts in the place of the usual one.
const OWN_PROFILE: &str = "/etc/containers/seccomp.json";

/// Tells that limits are set by Kiln itself, where the machine's files have systemd for that.
pub fn heed_limits(limits: &Resources, context: &Context) -> Result<()> {
    let asked = *limits != Resources::default() && context.globals.cgroup_manager.is_none();
    if asked && context.containers_conf()?.engine.cgroup_manager.as_deref() == Some("systemd") {
        warn("cgroup_manager=`systemd`", "Kiln sets limits itself: --cgroup-manager cgroupfs says so");
    }
    Ok(())
}

/// Fills in what this machine's files say.
pub fn fill(run: &mut Run, context: &Context) -> Result<()> {
    let conf = context.containers_conf()?;
    run.defaults = defaults(conf).map_err(refused)?;
    heed_limits(&run.settings.resources, context)?;
    run.uplinks = uplinks(conf).map_err(refused)?;
    run.runtime = runtime(run, conf);
    run.runtimes = runtimes(conf);
    run.host_name = host_name(conf).map_err(refused)?;
    run.no_pivot |= conf.engine.no_pivot_root == Some(true);
    run.shares_keyring = conf.containers.keyring == Some(false);
    run.hooks_dirs.clone_from(&conf.engine.hooks_dir);
    run.annotations = pairs("annotations", &conf.containers.annotations)?;
    // As its name says, the variable is for whoever tries another one.
    run.helpers.extend(Environment::get("CONTAINERS_HELPER_BINARY_DIR").map(PathBuf::from));
    run.helpers.extend(conf.engine.helper_binaries_dir.iter().cloned());
    let mut mounts: Vec<RunMount> = all(&conf.containers.mounts)?;
    for shown in settings::mounts_conf(&context.globals, context.host)? {
        // A machine without a subscription has none to show.
        if shown.host.exists() {
            mounts.push(RunMount {
                kind: MountKind::Bind { from: None, source: shown.host },
                target: shown.container,
                read_only: true,
                contextdir: None,
                options: MountOptions::default(),
            });
        }
    }
    // Those of the command come after, and so over, the machine's.
    mounts.append(&mut run.mounts);
    run.mounts = mounts;
    Ok(())
}

/// Only the network of what this machine's files say.
pub fn own_network(context: &Context) -> Result<RunSettings> {
    let word = context.containers_conf()?.containers.netns.as_deref().filter(|word| !word.is_empty());
    let network = word.map(network).transpose().map_err(refused)?;
    Ok(RunSettings { network, ..RunSettings::default() })
}

fn refused(error: Error) -> Error {
    Error::new(error.kind(), "cannot use containers.conf")
        .because(error)
        .hint("see containers.conf(5), or name another file with CONTAINERS_CONF=FILE")
}

fn defaults(conf: &ContainersConf) -> Result<RunSettings> {
    let says = &conf.containers;
    let text = |word: &Option<String>| word.clone().filter(|word| !word.is_empty());
    let space =
        |flag: &str, word: &Option<String>| text(word).map(|word| Space::parse(flag, &word)).transpose();
    let mut security = Security { apparmor: text(&says.apparmor_profile), ..Security::default() };
    security.seccomp = match text(&says.seccomp_profile).as_deref() {
        Some("unconfined") => Some(Seccomp::Unconfined),
        Some(path) => Some(Seccomp::Profile(path.into())),
        None => Path::new(OWN_PROFILE).exists().then(|| Seccomp::Profile(OWN_PROFILE.into())),
    };
    if says.label == Some(false) {
        security.label.push("disable".to_owned());
    }
    let size = |word: String| {
        parse_size(&word)
            .ok_or_else(|| Error::invalid(format!("cannot use shm_size `{word}`")).because("it is no size"))
    };
    Ok(RunSettings {
        capabilities: says.default_capabilities.clone(),
        devices: all::<Device>(&says.devices)?,
        cdi_dirs: conf.engine.cdi_spec_dirs.clone(),
        dns: Dns::parse(&says.dns_servers, &says.dns_searches, &says.dns_options)?,
        env: env(conf),
        hosts_base: text(&says.base_hosts_file),
        http_proxy: says.http_proxy,
        limits: all::<Limit>(&says.default_ulimits)?,
        namespaces: Spaces {
            cgroup: space("--cgroupns", &says.cgroupns)?,
            // `shareable` is a private one that others may join, as they may any.
            ipc: space("--ipc", &says.ipcns.clone().filter(|word| word != "shareable"))?,
            pid: space("--pid", &says.pidns)?,
            uts: space("--uts", &says.utsns)?,
        },
        network: text(&says.netns).map(|word| network(&word)).transpose()?,
        no_hosts: says.no_hosts == Some(true),
        security,
        shm_size: text(&says.shm_size).map(size).transpose()?,
        sysctls: pairs("default_sysctls", &says.default_sysctls)?,
        umask: text(&says.umask).map(|word| umask(&word)).transpose()?,
        users: text(&says.userns).and_then(|word| users(&word)),
        volumes: all::<Volume>(&says.volumes)?,
        ..RunSettings::default()
    })
}

/// `NAME=VALUE` of each entry of the list `key`.
fn pairs(key: &str, entries: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |entry: &String| {
        let pair = entry.split_once('=').filter(|(name, _)| !name.is_empty());
        pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
            Error::invalid(format!("cannot use `{}` in {key}", entry.escape_debug()))
                .because("it is not NAME=VALUE")
        })
    };
    entries.iter().map(pair).collect()
}

/// An octal number of three digits or four.
fn umask(word: &str) -> Result<u32> {
    u32::from_str_radix(word, 8).ok().filter(|mask| *mask <= 0o777 && !word.starts_with('+')).ok_or_else(
        || {
            Error::invalid(format!("cannot use the umask `{}`", word.escape_debug()))
                .because("it is not octal, 0 to 0777")
        },
    )
}

/// Tells that a key has no effect here.
fn warn(key: &str, hint: &str) {
    let message = format!("{key} of containers.conf has no effect here");
    Talk { quiet: true }.report(Event::Warning { message, hint: Some(hint.to_owned()) });
}

/// The user namespace; the kinds that only Podman has are not for containers that are built in.
fn users(word: &str) -> Option<UserSpace> {
    match word {
        "host" => Some(UserSpace::Host),
        "private" => Some(UserSpace::Private(IdMaps::default())),
        other => {
            warn(
                &format!("userns=`{}`", other.escape_debug()),
                "--userns has other kinds than host and private",
            );
            None
        }
    }
}

fn network(word: &str) -> Result<Network> {
    // Other tools' own kind of a private network.
    if word == "bridge" { "private" } else { word }.parse()
}

/// The host's own address, as its names stand for it; `none` for no such line.
fn host_name(conf: &ContainersConf) -> Result<HostName> {
    match conf.containers.host_containers_internal_ip.as_deref() {
        None | Some("") => Ok(HostName::Found),
        Some("none") => Ok(HostName::Absent),
        Some(word) => word.parse().map(HostName::Given).map_err(|cause| {
            Error::invalid(format!("cannot use host_containers_internal_ip `{}`", word.escape_debug()))
                .because(cause)
        }),
    }
}

/// Which programs join networks, and how they are called.
fn uplinks(conf: &ContainersConf) -> Result<Uplinks> {
    let usual = match conf.network.default_rootless_network_cmd.as_deref() {
        None | Some("") => None,
        Some("pasta") => Some(Uplink::Pasta),
        Some("slirp4netns") => Some(Uplink::Slirp),
        Some(other) => {
            let sentence = format!("cannot use default_rootless_network_cmd `{}`", other.escape_debug());
            return Err(Error::invalid(sentence).because("it is neither pasta nor slirp4netns"));
        }
    };
    Ok(Uplinks {
        usual,
        pasta_options: conf.network.pasta_options.clone(),
        slirp_options: conf.engine.network_cmd_options.clone(),
        slirp: conf.engine.network_cmd_path.clone().filter(|path| !path.as_os_str().is_empty()),
    })
}

/// The OCI runtime: where the files say the named one is; for options alone the one they name, or the one there is.
fn runtime(run: &Run, conf: &ContainersConf) -> Option<String> {
    let usual = || {
        let named = conf.engine.runtime.clone().filter(|name| !name.is_empty());
        // Without any it cannot be found, which says what to install.
        named.unwrap_or_else(|| usual_runtime().unwrap_or("runc").to_owned())
    };
    let name = match &run.runtime {
        Some(name) => name.clone(),
        None if run.runtime_flags.is_empty() => return None,
        None => usual(),
    };
    Some(place(conf, &name))
}

/// The runtimes of platforms that have one of their own.
fn runtimes(conf: &ContainersConf) -> BTreeMap<String, String> {
    let named = conf.engine.platform_to_oci_runtime.iter().filter(|(_, name)| !name.is_empty());
    named.map(|(platform, name)| (platform.clone(), place(conf, name))).collect()
}

/// Where the files say that a runtime is; else its name.
fn place(conf: &ContainersConf, name: &str) -> String {
    let places = conf.engine.runtimes.get(name).into_iter().flatten();
    let found = places.filter(|path| path.is_file()).find_map(|path| path.to_str());
    found.unwrap_or(name).to_owned()
}

/// The variables, after all of ours where they are to be handed on.
fn env(conf: &ContainersConf) -> Vec<(String, String)> {
    let mut all = if conf.containers.env_host == Some(true) { Environment::all() } else { Vec::new() };
    let pair = |entry: &String| match entry.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => Environment::set(entry).map(|value| (entry.clone(), value)),
    };
    all.extend(conf.containers.env.iter().filter_map(pair));
    all
}
