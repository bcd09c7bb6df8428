//! Where everything is and which defaults hold, from flags, environment and configuration files: the only reader of
//! the environment. A file is read when a verb needs what is in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use builder_core::{
    Error, Event, Host, Kind, MachineStorage, RegistrySettings, Reporter as _, Result, Settings,
};

use crate::args::Globals;
use crate::ui::Talk;

mod containers_conf;
mod files;
mod mounts_conf;
mod registries;
mod storage_conf;

pub use containers_conf::{ContainersConf, Engine};
pub use files::Places;
pub use mounts_conf::SecretMount;
pub use storage_conf::StorageFlags;

/// The environment as the commands may see it.
#[derive(Debug)]
pub struct Environment;

impl Environment {
    /// A variable, if it is set and not empty.
    pub fn get(name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    /// A variable as text, also an empty one; none if it is not set.
    pub fn set(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// A variable as text that is not empty.
    pub fn text(name: &str) -> Option<String> {
        Environment::get(name).and_then(|value| value.into_string().ok())
    }

    /// Every variable that is text.
    pub fn all() -> Vec<(String, String)> {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        std::env::vars_os().filter_map(text).collect()
    }

    /// Whether a variable says yes: `1` or `true`.
    pub fn flag(name: &str) -> bool {
        matches!(Environment::text(name).as_deref(), Some("1" | "true"))
    }

    /// Whether the caller wants each verb in the history of images: `BUILDAH_HISTORY` is `true`, in any case, or `1`.
    pub fn wants_history() -> bool {
        Environment::text("BUILDAH_HISTORY")
            .is_some_and(|word| word == "1" || word.eq_ignore_ascii_case("true"))
    }

    /// A number of seconds since the epoch, as `SOURCE_DATE_EPOCH` holds it.
    pub fn seconds(name: &str) -> Result<Option<i64>> {
        let Some(text) = Environment::text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|cause: std::num::ParseIntError| {
            Error::invalid(format!("cannot use {name}=`{text}`"))
                .because(cause)
                .hint(format!("{name} is a whole number of seconds since 1970"))
        })
    }
}

/// What containers.conf says of the tools themselves: of transfers and images.
pub fn engine() -> Result<&'static Engine> {
    Ok(&containers_conf()?.engine)
}

/// An error about a key of the table `[engine]` in containers.conf.
pub fn bad_engine_key(key: &str, value: &str, why: impl Into<String>) -> Error {
    Error::invalid(format!("cannot use {key}=`{value}`"))
        .because(why.into())
        .hint("correct it in containers.conf, or name another file with CONTAINERS_CONF=FILE")
}

/// The defaults of containers.conf. Read once.
pub fn containers_conf() -> Result<&'static ContainersConf> {
    static CONF: OnceLock<ContainersConf> = OnceLock::new();
    if let Some(conf) = CONF.get() {
        return Ok(conf);
    }
    let conf = containers_conf::load(&Places::of_machine(Host::look().is_rootless()))?;
    Ok(CONF.get_or_init(|| conf))
}

/// Variables that containers.conf has for this program.
pub fn engine_env(host: Host) -> Result<Vec<(String, String)>> {
    containers_conf::engine_env(&Places::of_machine(host.is_rootless()))
}

/// Where what concerns registries is written; nothing is opened.
pub fn registries(globals: &Globals) -> RegistrySettings {
    registries::look(globals)
}

/// Where large temporary files go: `TMPDIR`, or what containers.conf says; else none, for the store.
pub fn scratch(host: Host) -> Result<Option<PathBuf>> {
    match Environment::get("TMPDIR") {
        Some(dir) => Ok(Some(dir.into())),
        None => containers_conf::tmp_dir(&Places::of_machine(host.is_rootless())),
    }
}

/// What of the host every `run` sees, by mounts.conf or the file that was named in its place.
pub fn mounts_conf(globals: &Globals, host: Host) -> Result<Vec<SecretMount>> {
    mounts_conf::load(&Places::of_machine(host.is_rootless()), globals.default_mounts_file.as_deref())
}

/// The store's directory and the defaults, for this user on this machine.
pub fn settings(globals: &Globals, host: Host) -> Result<Settings> {
    let storage =
        storage_conf::load(&Places::of_machine(host.is_rootless()), host.is_rootless(), globals.storage())?;
    let named = globals.root.clone().or_else(|| Environment::get("KILN_ROOT").map(PathBuf::from));
    let root = match named.or(storage.root) {
        Some(root) => root,
        None if !host.is_rootless() => PathBuf::from("/var/lib/kiln"),
        None => user_data()?.join("kiln"),
    };
    let root = std::path::absolute(&root).map_err(|cause| {
        Error::new(Kind::Io, format!("cannot use the store `{}`", root.display())).because(cause)
    })?;
    let (root, machine) = beside(root, storage.machine, globals, host)?;
    if !storage.ignored.is_empty() {
        tell_ignored(&storage.ignored);
    }
    let run_root = globals.runroot.as_ref().or(storage.run_root.as_ref()).map(std::path::absolute);
    let run_root = run_root
        .transpose()
        .map_err(|cause| Error::new(Kind::Io, "cannot use the directory of --runroot").because(cause))?;
    if let Some(dir) = &run_root {
        make_private(dir)?;
    }
    crate::ui::debug(format_args!("the store is {}", root.display()));
    Ok(Settings {
        root,
        sync_full: Environment::text("KILN_SYNC").as_deref() == Some("full"),
        driver: storage.driver,
        mount_program: storage.mount_program,
        shuffled: false,
        read_only_stores: storage.read_only_stores,
        ignore_chown_errors: storage.ignore_chown_errors,
        registries: registries::look(globals),
        machine: MachineStorage { run: run_root.clone(), ..machine },
        run_root,
        reuse_networks: false,
        blob_cache: None,
        search_path: Environment::get("PATH"),
        scratch: scratch(host)?,
        ids: storage.ids,
    })
}

/// How long a private network is kept for the next command.
pub fn network_keep() -> Result<Duration> {
    const USUAL: Duration = Duration::from_secs(20);
    let Some(text) = Environment::text("KILN_NETWORK_KEEP") else { return Ok(USUAL) };
    text.parse::<u32>().map(|seconds| Duration::from_secs(seconds.into())).map_err(|cause| {
        Error::invalid(format!("cannot use KILN_NETWORK_KEEP=`{}`", text.escape_debug()))
            .because(cause)
            .hint("KILN_NETWORK_KEEP is a whole number of seconds; 0 keeps no network")
    })
}

/// The storage that other tools of this machine share; see [`settings`].
pub fn machine(globals: &Globals, host: Host) -> Result<MachineStorage> {
    settings(globals, host).map(|settings| settings.machine)
}

/// The storage that other tools of this machine share, and where Kiln's store is beside it.
///
/// `KILN_PODMAN` says whether verbs act on it too: 1 yes, 0 no, and nothing is known of it then. Unless it is set they
/// do where we are called as Buildah. Where there is no such storage yet, it is made if it was asked for, or if Podman
/// is there to look into it. The directory of `--root` is then that storage's too, and Kiln's store is in it.
fn beside(
    root: PathBuf,
    conf: storage_conf::Machine,
    globals: &Globals,
    host: Host,
) -> Result<(PathBuf, MachineStorage)> {
    let said = Environment::text("KILN_PODMAN");
    let acts = match said.as_deref() {
        None => is_buildah(),
        Some("1" | "true") => true,
        Some("0" | "false") => return Ok((root, MachineStorage::default())),
        Some(other) => {
            return Err(Error::invalid(format!("cannot use KILN_PODMAN=`{other}`"))
                .because("it is neither 0 nor 1")
                .hint(
                    "KILN_PODMAN=1 lets images be where Podman looks too, KILN_PODMAN=0 only in Kiln's store",
                ));
        }
    };
    let is_named = acts && globals.root.is_some();
    let (root, shared) = match (is_named, conf.root) {
        (true, _) if is_shared(&root) && !root.join("version").exists() => (root.join("kiln"), root),
        (true, _) => (root.clone(), root),
        (false, Some(shared)) => (root, shared),
        (false, None) if !host.is_rootless() => (root, PathBuf::from("/var/lib/containers/storage")),
        (false, None) => (root, user_data()?.join("containers/storage")),
    };
    let mut machine = MachineStorage {
        root: shared,
        driver: conf.driver,
        named: conf.named,
        additional: conf.additional,
        beside: acts,
        wanted: acts && (said.is_some() || is_on_path("podman")),
        ..MachineStorage::default()
    };
    if let Some(seconds) = Environment::seconds("KILN_STORAGE_WAIT")? {
        machine.patience = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    }
    Ok((root, machine))
}

/// Tells once which keys of storage.conf have no effect.
fn tell_ignored(keys: &[String]) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let message = format!("keys of storage.conf have no effect here: {}", keys.join(", "));
        let hint = Some("Kiln's store has a form of its own; for its options see kiln --help".to_owned());
        Talk { quiet: true }.report(Event::Warning { message, hint });
    });
}

/// Makes a directory that others cannot look into.
fn make_private(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|cause| {
        Error::new(Kind::Io, format!("cannot make the directory `{}`", dir.display()))
            .because(cause)
            .hint("name another one with --runroot DIR, or leave it away")
    })
}

fn is_on_path(program: &str) -> bool {
    let path = Environment::get("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Whether a directory is a storage of the other tools.
fn is_shared(root: &Path) -> bool {
    ["overlay-images", "vfs-images"].iter().any(|images| root.join(images).is_dir())
}

fn user_data() -> Result<PathBuf> {
    if let Some(data) = Environment::get("XDG_DATA_HOME") {
        return Ok(PathBuf::from(data));
    }
    match Environment::get("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(".local/share")),
        None => Err(Error::new(Kind::NotFound, "cannot find the store")
            .because("neither HOME nor KILN_ROOT is set")
            .hint("name the store's directory with --root DIR or KILN_ROOT=DIR")),
    }
}

/// Whether we were called by the name of Buildah.
pub fn is_buildah() -> bool {
    let name = std::env::args_os().next().map(PathBuf::from);
    name.as_deref().and_then(Path::file_stem).is_some_and(|name| name == "buildah")
}
