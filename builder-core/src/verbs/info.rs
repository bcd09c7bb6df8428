//! `info`: what this machine and the store are.

use std::path::PathBuf;

use crate::builder::Builder;
use crate::error::Result;
use crate::oci::host_architecture;
use crate::sandbox::kept_networks;

/// What `info` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The processor, in Go's names.
    pub architecture: &'static str,
    /// Processors this process may use.
    pub cpus: usize,
    /// The machine's name.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// Whether an ordinary user works, or root of a user namespace.
    pub rootless: bool,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes of memory that nothing uses.
    pub memory_free: u64,
    /// Bytes of swap.
    pub swap_total: u64,
    /// Bytes of swap that nothing uses.
    pub swap_free: u64,
    /// The store's directory.
    pub root: PathBuf,
    /// How many containers.
    pub containers: usize,
    /// How many images.
    pub images: usize,
    /// The version of the cgroup file systems, `v1` or `v2`.
    pub cgroup_version: &'static str,
    /// The distribution's name and version, as its os-release has them.
    pub distribution: (String, String),
    /// How many networks that pasta has joined to the host's are kept for later commands.
    pub kept_networks: usize,
    /// Seconds since the machine started.
    pub uptime: u64,
}

/// Looks at the machine and the store.
pub fn info(builder: &Builder<'_>) -> Result<Info> {
    let names = rustix::system::uname();
    let memory = rustix::system::sysinfo();
    let unit = u64::from(memory.mem_unit);
    Ok(Info {
        architecture: host_architecture(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        hostname: names.nodename().to_string_lossy().into_owned(),
        kernel: names.release().to_string_lossy().into_owned(),
        rootless: builder.host.is_rootless(),
        memory_total: memory.totalram * unit,
        memory_free: memory.freeram * unit,
        swap_total: memory.totalswap * unit,
        swap_free: memory.freeswap * unit,
        root: builder.store.root().to_owned(),
        containers: builder.store.containers()?.len(),
        images: builder.store.image_entries()?.len(),
        cgroup_version: cgroup_version(),
        distribution: distribution(),
        kept_networks: kept_networks(builder.store.root()),
        uptime: u64::try_from(memory.uptime).unwrap_or(0),
    })
}

fn cgroup_version() -> &'static str {
    let is_v2 = rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|found| found.f_type == CGROUP2);
    if is_v2 { "v2" } else { "v1" }
}

/// `CGROUP2_SUPER_MAGIC`.
const CGROUP2: rustix::fs::FsWord = 0x6367_7270;

/// `ID` and `VERSION_ID` of os-release(5); `unknown` where there is none.
fn distribution() -> (String, String) {
    let text =
        ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| std::fs::read_to_string(path).ok());
    let text = text.unwrap_or_default();
    let value = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.map_or_else(|| "unknown".to_owned(), |value| value.trim_matches(['"', '\'']).to_owned())
    };
    (value("ID"), value("VERSION_ID"))
}
