//! storage.conf and the flags and variables that say the same: which driver, and which options.
//!
//! Kiln's store has a form of its own and never is the directory of another tool's. Of storage.conf(5) these concern
//! it: `driver`; `graphroot`, or `rootless_storage_path` for an ordinary user, where it is not the usual directory:
//! then Kiln's store is the directory `kiln` in it; `runroot`, likewise; `additionalimagestores`, of which those are
//! used that are stores of Kiln; `mount_program`, `ignore_chown_errors`, and what `--userns auto` chooses of. The rest
//! says where the storage is that Podman and others share, for those who name it.

use std::path::{Path, PathBuf};

use builder_core::{Driver, Error, IdPool, Kind, Result};
use serde::Deserialize;

use crate::settings::Environment;
use crate::settings::files::{self, Places};

/// What is said of the store, by whichever way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageConf {
    /// The store's directory, if the file moves it.
    pub root: Option<PathBuf>,
    /// How containers' trees are made; none for the first way that works.
    pub driver: Option<Driver>,
    /// The program that mounts in place of the kernel's overlay.
    pub mount_program: Option<PathBuf>,
    /// Stores whose images are seen and never written.
    pub read_only_stores: Vec<PathBuf>,
    /// The storage that other tools of the machine share.
    pub machine: Machine,
    /// Whether an owner that cannot be set is given up.
    pub ignore_chown_errors: bool,
    /// Where what need not survive a reboot is, if the file moves it.
    pub run_root: Option<PathBuf>,
    /// Whose ids containers get that have ids chosen for them.
    pub ids: IdPool,
    /// Keys that other tools heed and that have no effect on a store of Kiln's, where the file was named to us. One
    /// that is there for all tools says how theirs is.
    pub ignored: Vec<String>,
}

/// What the file says of the storage that other tools of the machine share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its directory; the usual one, unless given.
    pub root: Option<PathBuf>,
    /// What it is for ordinary users, where another file than their own says so.
    rootless_root: Option<PathBuf>,
    /// Its driver, as it is called there.
    pub driver: Option<String>,
    /// Whether directory or driver are others than everybody has.
    pub named: bool,
    /// Further ones, which are not Kiln's.
    pub additional: Vec<PathBuf>,
}

/// What the command line says of the store; it wins over variables, and these over the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct StorageFlags<'a> {
    /// `--storage-driver`.
    pub driver: Option<&'a str>,
    /// `--storage-opt`, each `NAME=VALUE`.
    pub options: &'a [String],
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    storage: Table,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Table {
    driver: Option<String>,
    graphroot: Option<String>,
    rootless_storage_path: Option<String>,
    runroot: Option<String>,
    options: Options,
    #[serde(flatten)]
    others: toml::Table,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Options {
    additionalimagestores: Vec<PathBuf>,
    #[serde(rename = "mount_program")]
    mount_program: Option<PathBuf>,
    #[serde(rename = "ignore_chown_errors")]
    ignore_chown_errors: Option<Truth>,
    root_auto_userns_user: Option<String>,
    auto_userns_min_size: Option<u32>,
    auto_userns_max_size: Option<u32>,
    overlay: DriverOptions,
    vfs: DriverOptions,
    #[serde(flatten)]
    others: toml::Table,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DriverOptions {
    mount_program: Option<PathBuf>,
    ignore_chown_errors: Option<Truth>,
    #[serde(flatten)]
    others: toml::Table,
}

/// The files in use have `"true"` where others have `true`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "toml::Value")]
struct Truth(bool);

impl TryFrom<toml::Value> for Truth {
    type Error = String;

    fn try_from(value: toml::Value) -> std::result::Result<Truth, String> {
        match value.as_bool().or_else(|| truth(value.as_str()?)) {
            Some(value) => Ok(Truth(value)),
            None => Err("it is neither true nor false".to_owned()),
        }
    }
}

/// What Go reads as true or false.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" | "" => Some(false),
        _ => None,
    }
}

/// Reads the file that holds, then variables and flags.
pub fn load(places: &Places, rootless: bool, flags: StorageFlags<'_>) -> Result<StorageConf> {
    let named = Environment::get("CONTAINERS_STORAGE_CONF").map(PathBuf::from);
    let (path, is_ours) = match named {
        Some(path) => (Some(path), true),
        None => (places.first("storage.conf"), false),
    };
    let (said, options) = match (flags.driver, Environment::text("STORAGE_DRIVER")) {
        (Some(driver), _) => (Some(("--storage-driver", driver.to_owned())), flags.options.to_vec()),
        (None, variable) => {
            let mut options = list(&Environment::text("STORAGE_OPTS").unwrap_or_default());
            options.extend_from_slice(flags.options);
            (variable.map(|driver| ("STORAGE_DRIVER", driver)), options)
        }
    };
    let mut conf = match &path {
        Some(path) => {
            let users = places.user.as_deref().is_some_and(|dir| path.starts_with(dir));
            // A driver named elsewhere wins, so that the file's need not be one of ours.
            let mut conf = from_file(path, rootless, is_ours && said.is_none(), is_ours || users)?;
            if rootless && !users {
                // For an ordinary user Podman takes `graphroot` from his own file only.
                conf.machine.root.clone_from(&conf.machine.rootless_root);
            }
            if !is_ours {
                conf.ignored.clear();
            }
            conf
        }
        None => StorageConf::default(),
    };
    if let Some((who, text)) = said {
        conf.driver = Some(driver(who, &text)?);
    }
    options.iter().try_for_each(|option| apply(&mut conf, option))?;
    Ok(conf)
}

/// What the file says. `named`: it was named to us, so that what it asks for and we lack is an error; a file that is
/// there for all tools of the machine may ask for a driver that only others have. `moves_root`: its `graphroot` holds
/// for an ordinary user too.
fn from_file(path: &Path, rootless: bool, named: bool, moves_root: bool) -> Result<StorageConf> {
    let File { storage } = files::typed(path, files::read_toml(path)?)?;
    let mut ignored = names("", &storage.others);
    let options = storage.options;
    let places =
        [("", &options.others), ("overlay.", &options.overlay.others), ("vfs.", &options.vfs.others)];
    ignored.extend(places.iter().flat_map(|(below, others)| names(&format!("options.{below}"), others)));
    let usual = IdPool::default();
    let ids = IdPool {
        user: options.root_auto_userns_user.filter(|name| !name.is_empty()).unwrap_or(usual.user),
        smallest: options.auto_userns_min_size.filter(|size| *size > 0).unwrap_or(usual.smallest),
        largest: options.auto_userns_max_size.filter(|size| *size > 0).unwrap_or(usual.largest),
    };
    let Options { additionalimagestores, mount_program, ignore_chown_errors, overlay, vfs, .. } = options;
    let rootless_root = storage.rootless_storage_path.as_deref().map(expand).filter(|root| !is_empty(root));
    let root = match (rootless, moves_root) {
        (true, false) => storage.rootless_storage_path,
        (true, true) => storage.graphroot.or(storage.rootless_storage_path),
        (false, _) => storage.graphroot,
    };
    // As the place of the images, a user's own or one that was named; the usual one says nothing of Kiln's.
    let run_root = storage.runroot.filter(|_| !rootless || moves_root).map(|text| expand(&text));
    let run_root = run_root.filter(|dir| !is_usual(dir) && !dir.ends_with("containers"));
    let shared = root.map(|text| expand(&text)).filter(|root| !is_empty(root));
    let root = shared.clone().filter(|root| !is_usual(root));
    let machine_driver = storage.driver.clone().filter(|driver| !driver.is_empty());
    let machine = Machine {
        named: root.is_some() || machine_driver.as_ref().is_some_and(|name| !name.starts_with("overlay")),
        root: shared,
        rootless_root,
        driver: machine_driver,
        additional: additionalimagestores.iter().filter(|path| !is_store(path)).cloned().collect(),
    };
    let driver = match storage.driver.as_deref() {
        None | Some("") => None,
        Some(text) => match driver(&format!("driver of {}", path.display()), text) {
            Ok(driver) => Some(driver),
            Err(error) if named => return Err(error),
            Err(_) => None,
        },
    };
    let of_driver = if driver == Some(Driver::Vfs) { vfs } else { overlay };
    let ignores = of_driver.ignore_chown_errors.or(ignore_chown_errors);
    Ok(StorageConf {
        root: root.map(|root| root.join("kiln")),
        driver,
        mount_program: of_driver.mount_program.or(mount_program).filter(|path| !path.as_os_str().is_empty()),
        machine,
        read_only_stores: additionalimagestores.into_iter().filter(|path| is_store(path)).collect(),
        ignore_chown_errors: ignores.is_some_and(|Truth(ignores)| ignores),
        run_root,
        ids,
        ignored,
    })
}

/// The keys of a table with something in it that asks for something.
fn names(below: &str, table: &toml::Table) -> Vec<String> {
    let asks = |value: &toml::Value| match value {
        toml::Value::Table(table) => !table.is_empty(),
        toml::Value::String(text) => !matches!(text.as_str(), "" | "false"),
        toml::Value::Array(list) => !list.is_empty(),
        other => other.as_bool() != Some(false),
    };
    table.iter().filter(|(_, value)| asks(value)).map(|(key, _)| format!("{below}{key}")).collect()
}

/// The directory that is every tool's default says nothing about Kiln's.
fn is_usual(root: &Path) -> bool {
    is_empty(root) || root.ends_with("containers/storage")
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

/// Whether a store of Kiln's is there, and not another tool's.
fn is_store(path: &Path) -> bool {
    path.join("version").is_file() && path.join("images/oci-layout").is_file()
}

/// `$HOME`, `$UID` and `$USER` in a path, as storage.conf allows them.
fn expand(text: &str) -> PathBuf {
    let mut whole = text.to_owned();
    for name in ["HOME", "USER"] {
        if let Some(value) = Environment::text(name) {
            whole = whole.replace(&format!("${name}"), &value);
        }
    }
    whole.replace("$UID", &rustix::process::getuid().as_raw().to_string()).into()
}

fn driver(who: &str, text: &str) -> Result<Driver> {
    match text {
        "overlay" | "overlay2" => Ok(Driver::Overlay),
        "vfs" => Ok(Driver::Vfs),
        _ => Err(Error::new(Kind::Unsupported, format!("cannot use the storage driver `{text}`"))
            .because(format!("{who} may be `overlay` or `vfs`"))
            .hint("use --storage-driver overlay, or leave it away")),
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// One option of the store, `[DRIVER.]NAME=VALUE`.
fn apply(conf: &mut StorageConf, option: &str) -> Result<()> {
    let sentence = format!("cannot use the storage option `{option}`");
    let Some((name, value)) = option.split_once('=') else {
        return Err(Error::invalid(sentence)
            .because("there is no `=` in it")
            .hint("give NAME=VALUE, e.g. --storage-opt mount_program=/usr/bin/fuse-overlayfs"));
    };
    let bare = ["overlay.", "overlay2.", "vfs.", "."].iter().find_map(|prefix| name.strip_prefix(prefix));
    match bare.unwrap_or(name) {
        "mount_program" => {
            if !Path::new(value).is_file() {
                return Err(
                    Error::new(Kind::NotFound, sentence).because(format!("there is no file `{value}`"))
                );
            }
            conf.mount_program = Some(value.into());
        }
        "imagestore" | "additionalimagestore" => {
            if !is_store(Path::new(value)) {
                return Err(Error::new(Kind::NotFound, sentence)
                    .because(format!("`{value}` is not a store of Kiln"))
                    .hint("name the --root of another Kiln store"));
            }
            conf.read_only_stores.push(value.into());
        }
        "ignore_chown_errors" => {
            conf.ignore_chown_errors = truth(value).ok_or_else(|| {
                Error::invalid(sentence).because(format!("`{value}` is neither true nor false"))
            })?;
        }
        _ => {
            return Err(Error::new(Kind::Unsupported, sentence)
                .because("there is no such option here")
                .hint("there are mount_program, additionalimagestore and ignore_chown_errors"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
