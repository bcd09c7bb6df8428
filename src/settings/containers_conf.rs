//! containers.conf: the defaults of the field's tools for containers and for the engine. Read when a verb needs it.
//!
//! The format is containers.conf(5)'s. Only the keys that concern building are here, each with its effect; those of
//! running pods, machines and services, and what Podman alone reads, mean nothing to a builder. Files complete each
//! other key by key; a list replaces the one before it, unless it ends in `{append=true}`, which also holds for the
//! files after it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use builder_core::{Error, Result};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::settings::Environment;
use crate::settings::files::{self, Places};

/// What the files say, put together. A key that no file has is `None`, or empty.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct ContainersConf {
    /// `[containers]`: how commands run.
    pub containers: Containers,
    /// `[engine]`: how the tools work.
    pub engine: Engine,
    /// `[network]`: what networks there are.
    pub network: NetworkConf,
}

/// The table `[containers]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Containers {
    /// Annotations of a container, `NAME=VALUE`; handed to an external runtime.
    pub annotations: Vec<String>,
    /// The AppArmor profile.
    pub apparmor_profile: Option<String>,
    /// What the container's /etc/hosts begins with: a path, `image`, `none`, or empty for the host's file.
    pub base_hosts_file: Option<String>,
    /// The cgroup namespace: `private` or `host`.
    pub cgroupns: Option<String>,
    /// Capabilities, with or without `CAP_`.
    pub default_capabilities: Option<Vec<String>>,
    /// Kernel settings, `NAME=VALUE`.
    pub default_sysctls: Vec<String>,
    /// Limits, `NAME=SOFT[:HARD]`.
    pub default_ulimits: Vec<String>,
    /// Devices, `HOST[:CONTAINER[:rwm]]`.
    pub devices: Vec<String>,
    /// Options of resolv.conf.
    pub dns_options: Vec<String>,
    /// Search domains of resolv.conf.
    pub dns_searches: Vec<String>,
    /// Name servers.
    pub dns_servers: Vec<String>,
    /// Variables, `NAME=VALUE`, or `NAME` to take the value from here.
    pub env: Vec<String>,
    /// Hand all of our own environment in.
    pub env_host: Option<bool>,
    /// What `host.containers.internal` resolves to.
    pub host_containers_internal_ip: Option<String>,
    /// Hand the proxy variables in.
    pub http_proxy: Option<bool>,
    /// The IPC namespace.
    pub ipcns: Option<String>,
    /// Give commands a session keyring of their own.
    pub keyring: Option<bool>,
    /// Use SELinux labels.
    pub label: Option<bool>,
    /// Mounts in the words of `--mount`.
    pub mounts: Vec<String>,
    /// The network: `private`, `host`, `none` …
    pub netns: Option<String>,
    /// Leave /etc/hosts alone.
    pub no_hosts: Option<bool>,
    /// The process id namespace.
    pub pidns: Option<String>,
    /// The seccomp profile's file, or `unconfined`.
    pub seccomp_profile: Option<String>,
    /// The size of /dev/shm, with a unit.
    pub shm_size: Option<String>,
    /// The umask of commands, octal.
    pub umask: Option<String>,
    /// The user namespace.
    pub userns: Option<String>,
    /// The UTS namespace.
    pub utsns: Option<String>,
    /// Volumes in the words of `--volume`.
    pub volumes: Vec<String>,
}

/// The table `[engine]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Engine {
    /// `cgroupfs` or `systemd`.
    pub cgroup_manager: Option<String>,
    /// How pushed layers are compressed: `gzip`, `zstd`, `zstd:chunked`.
    pub compression_format: Option<String>,
    /// The level of that.
    pub compression_level: Option<i64>,
    /// Variables for the tool itself, `NAME=VALUE`.
    pub env: Vec<String>,
    /// Where pasta, netavark and other programs are looked for.
    pub helper_binaries_dir: Vec<PathBuf>,
    /// Where OCI hooks are.
    pub hooks_dir: Vec<PathBuf>,
    /// Where CDI devices are described.
    pub cdi_spec_dirs: Vec<PathBuf>,
    /// How many layers move at once.
    pub image_parallel_copies: Option<u32>,
    /// Where large temporary files go; `storage` for the store.
    pub image_copy_tmp_dir: Option<String>,
    /// Do not use pivot_root.
    pub no_pivot_root: Option<bool>,
    /// The path of slirp4netns.
    pub network_cmd_path: Option<PathBuf>,
    /// Its options.
    pub network_cmd_options: Vec<String>,
    /// `always`, `missing`, `newer`, `never`.
    pub pull_policy: Option<String>,
    /// How often a failed transfer is tried again.
    pub retry: Option<u32>,
    /// How long to wait before that, with a unit.
    pub retry_delay: Option<String>,
    /// The external runtime's name.
    pub runtime: Option<String>,
    /// Where each runtime may be found.
    pub runtimes: BTreeMap<String, Vec<PathBuf>>,
    /// The runtime for a platform, by `OS/ARCH`.
    pub platform_to_oci_runtime: BTreeMap<String, String>,
}

/// The table `[network]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct NetworkConf {
    /// `pasta` or `slirp4netns`.
    pub default_rootless_network_cmd: Option<String>,
    /// Options of pasta.
    pub pasta_options: Vec<String>,
}

/// Reads all files there are: `CONTAINERS_CONF` alone if it is set, else the system's and the user's;
/// `CONTAINERS_CONF_OVERRIDE` after them.
pub fn load(places: &Places) -> Result<ContainersConf> {
    merge(&paths(places)?)
}

/// The variables of `engine.env` that are not set already, as every verb has them. A file that cannot be read is an
/// error of the verb that needs it.
pub fn engine_env(places: &Places) -> Result<Vec<(String, String)>> {
    let paths = paths(places)?;
    if !mention(&paths, "env") {
        return Ok(Vec::new());
    }
    let mut variables = Vec::new();
    for entry in merge(&paths)?.engine.env {
        let pair = entry.split_once('=').filter(|(name, _)| !name.is_empty() && !entry.contains('\0'));
        let (name, value) = pair.ok_or_else(|| {
            Error::invalid(format!("cannot use `{}` of engine.env in containers.conf", entry.escape_debug()))
                .because("it is not NAME=VALUE")
        })?;
        if Environment::set(name).is_none() {
            variables.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(variables)
}

/// `engine.image_copy_tmp_dir`; none where it is the store.
pub fn tmp_dir(places: &Places) -> Result<Option<PathBuf>> {
    let paths = paths(places)?;
    if !mention(&paths, "image_copy_tmp_dir") {
        return Ok(None);
    }
    match merge(&paths)?.engine.image_copy_tmp_dir.as_deref() {
        None | Some("" | "storage") => Ok(None),
        Some(dir) if dir.starts_with('/') => Ok(Some(dir.into())),
        Some(dir) => Err(super::bad_engine_key(
            "image_copy_tmp_dir",
            dir,
            "it is neither an absolute path nor `storage`",
        )),
    }
}

/// Whether one of the files may have the key: few have any of these, and every start asks. A file that cannot be read
/// is an error of the verb that needs it.
fn mention(paths: &[PathBuf], key: &str) -> bool {
    let may_have = |line: &str| !line.trim_start().starts_with('#') && line.contains(key);
    paths.iter().any(|path| files::read(path).is_ok_and(|text| text.lines().any(may_have)))
}

fn paths(places: &Places) -> Result<Vec<PathBuf>> {
    let mut paths = match Environment::get("CONTAINERS_CONF") {
        Some(path) => vec![PathBuf::from(path)],
        None => places.all("containers.conf")?,
    };
    paths.extend(Environment::get("CONTAINERS_CONF_OVERRIDE").map(PathBuf::from));
    Ok(paths)
}

/// Puts the files together, the later over the earlier.
fn merge(paths: &[PathBuf]) -> Result<ContainersConf> {
    let mut whole = Table::new();
    for path in paths {
        let table = files::read_toml(path)?;
        // By itself first, so that what is wrong is said of the file that has it.
        files::typed::<ContainersConf>(path, without_marks(table.clone()))?;
        lay_over(&mut whole, table);
    }
    let Some(last) = paths.last() else { return Ok(ContainersConf::default()) };
    files::typed(last, without_marks(whole))
}

/// Lays one table over another.
fn lay_over(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            (Some(Value::Array(below)), Value::Array(above)) => {
                if append_mark(&above).or_else(|| append_mark(below)) == Some(true) {
                    below.extend(above);
                } else {
                    *below = above;
                }
            }
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// What the last mark `{append=…}` of a list says.
fn append_mark(list: &[Value]) -> Option<bool> {
    list.iter().rev().find_map(mark)
}

fn mark(value: &Value) -> Option<bool> {
    value.as_table()?.get("append")?.as_bool()
}

fn without_marks(table: Table) -> Table {
    let clean = |value| match value {
        Value::Table(table) => Value::Table(without_marks(table)),
        Value::Array(list) => Value::Array(list.into_iter().filter(|item| mark(item).is_none()).collect()),
        other => other,
    };
    table.into_iter().map(|(key, value)| (key, clean(value))).collect()
}

#[cfg(test)]
mod tests;
