//! What a builder is told once: where its store is and which defaults hold. Filled by the caller from environment,
//! files and flags; the library reads none of these itself.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where things are and which defaults hold.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The store's directory. Made, with mode 0700, if it does not exist.
    pub root: PathBuf,
    /// Wait for the disk at every publication instead of syncing with the next command.
    pub sync_full: bool,
    /// How containers' trees are made; none for the first way that works here.
    pub driver: Option<Driver>,
    /// A program that mounts in place of the kernel's overlay, such as fuse-overlayfs.
    pub mount_program: Option<PathBuf>,
    /// Other stores of Kiln's, whose images are used in place and never written.
    pub read_only_stores: Vec<PathBuf>,
    /// Names in the directories of new layers are stored in another order than they came about, to see who depends on
    /// it.
    pub shuffled: bool,
    /// Whether an owner that cannot be set is given up, where it would be an error.
    pub ignore_chown_errors: bool,
    /// Whose ids containers get that have ids of their own chosen for them.
    pub ids: IdPool,
    /// Where what concerns registries is written, and how they are reached.
    pub registries: RegistrySettings,
    /// The storage that Podman and others of this machine share.
    pub machine: MachineStorage,
    /// A directory for what a run needs while it lasts; in the store, unless given. It exists.
    pub run_root: Option<PathBuf>,
    /// Where large temporary files go, such as archives that are unpacked to be read; in the store, unless given.
    pub scratch: Option<PathBuf>,
    /// Whether commands may have the network that an earlier one had, where a helper has joined that to the host's: for
    /// who runs several.
    pub reuse_networks: bool,
    /// A directory that keeps blobs, and that they are taken from where it has them. It exists.
    pub blob_cache: Option<PathBuf>,
    /// Where programs that help are looked for, in the form of the variable `PATH`.
    pub search_path: Option<OsString>,
}

impl Settings {
    /// Where a program is, if it is there.
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        let path = self.search_path.as_ref()?;
        std::env::split_paths(path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(|file| {
            std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
    }

    /// Where large temporary files of some work go.
    pub(crate) fn scratch<'a>(&'a self, work: &'a Path) -> &'a Path {
        self.scratch.as_deref().unwrap_or(work)
    }

    /// The program that serves overlays in the kernel's place: the one named, or fuse-overlayfs if it is there.
    pub(crate) fn mount_program(&self) -> Option<PathBuf> {
        self.mount_program.clone().or_else(|| self.find_program("fuse-overlayfs"))
    }
}

/// The storage that Podman, Buildah, Skopeo and CRI-O of a machine share. Nothing there is read or made before it is
/// asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineStorage {
    /// Its directory, `graphroot`; none is known if it is empty.
    pub root: PathBuf,
    /// Its driver; the one that it has images of, unless given.
    pub driver: Option<String>,
    /// Whether settings name it, by its directory or a driver that nobody has unless he says so: an image that is to go
    /// into the machine's storage then goes there, also the first one.
    pub named: bool,
    /// Where its programs keep what need not survive a reboot, unless they know themselves.
    pub run: Option<PathBuf>,
    /// Further ones, whose images are seen and never written.
    pub additional: Vec<PathBuf>,
    /// How long another process may hold its locks before that is an error.
    pub patience: Duration,
    /// Whether verbs act on it beside Kiln's own store, where it exists.
    pub beside: bool,
    /// Whether it is made for the first image, where it does not: others of the machine will look there.
    pub wanted: bool,
}

impl Default for MachineStorage {
    fn default() -> Self {
        MachineStorage {
            root: PathBuf::new(),
            driver: None,
            named: false,
            run: None,
            additional: Vec::new(),
            // As long as the pull of a large image holds the lock in other programs.
            patience: Duration::from_secs(300),
            beside: false,
            wanted: false,
        }
    }
}

/// Whose ids containers get that have ids of their own chosen for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPool {
    /// The name in `/etc/subuid` and `/etc/subgid` that root's containers have the ids of.
    pub user: String,
    /// The fewest ids a container gets.
    pub smallest: u32,
    /// The most that one gets that did not ask for a number.
    pub largest: u32,
}

impl Default for IdPool {
    /// As storage.conf(5) has it.
    fn default() -> Self {
        IdPool { user: "containers".to_owned(), smallest: 1024, largest: 65_536 }
    }
}

/// How a container's tree is made of its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// Layers are mounted over each other, by the kernel or by a program.
    Overlay,
    /// The tree is a copy of its own.
    Vfs,
}

/// Where what concerns registries is written, and what the environment says about reaching them. Nothing here is read
/// before a registry is asked for something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// `registries.conf`; the first that exists counts.
    pub conf: Vec<PathBuf>,
    /// Directories of more such files (`*.conf`), each read after `conf`, in this order.
    pub conf_dirs: Vec<PathBuf>,
    /// Where resolved short names are remembered.
    pub short_names: Option<PathBuf>,
    /// `BUILD_REGISTRY_SOURCES`: which registries may be used, as JSON.
    pub sources: Option<String>,
    /// `auth.json` and `config.json`, in the order they are searched; the first is the one `login` writes.
    pub auth_files: Vec<PathBuf>,
    /// Directories such as `certs.d`, which have one directory per `HOST[:PORT]`.
    pub cert_dirs: Vec<PathBuf>,
    /// The file with the system's authorities, in place of the usual one.
    pub bundle: Option<PathBuf>,
    /// Directories of authorities, in place of the usual file.
    pub bundle_dirs: Vec<PathBuf>,
    /// `policy.json`; the first that exists counts.
    pub policy: Vec<PathBuf>,
    /// Directories such as `registries.d`, which say where signatures are; the first that exists counts.
    pub signature_dirs: Vec<PathBuf>,
    /// Where signatures are, if nothing there says it.
    pub signatures: PathBuf,
    /// The proxies of this process.
    pub proxies: Proxies,
    /// Where Docker's daemon is.
    pub daemon: DaemonSettings,
}

/// Where Docker's daemon is, as the environment says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaemonSettings {
    /// `DOCKER_HOST`: `unix://PATH`, `tcp://HOST:PORT`; the usual socket, unless given.
    pub host: Option<String>,
    /// Whether `tcp://` means TLS.
    pub tls: bool,
    /// The directory with `ca.pem`, `cert.pem` and `key.pem` for that.
    pub certificates: Option<PathBuf>,
}

/// The proxies of this process, as the environment names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` addresses: `http://[user:password@]host:port`.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// Hosts reached directly: `example.com`, `.example.com`, `10.0.0.0/8`, `host:port`, `*`, with commas between.
    pub none: Option<String>,
}
