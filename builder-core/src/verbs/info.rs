//! `info`: what this machine and the store are.

use std::path::PathBuf;

use crate::builder::Builder;
use crate::error::Result;
use crate::oci::host_architecture;

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
    })
}
