//! The flags that every verb takes, before or after its name, as Buildah has them.

use std::path::PathBuf;

use builder_core::{Error, Kind, Result};

use crate::settings::{Environment, StorageFlags};
use crate::ui::{Level, Progress};

/// The flags of all verbs.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Options of all verbs")]
pub struct Globals {
    /// The store's directory (default /var/lib/kiln; as an ordinary user ~/.local/share/kiln) [env: KILN_ROOT]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// A directory for what need not survive a reboot: sockets and bundles of commands that run (default: runroot of
    /// storage.conf where that is not the usual one, else the store).
    /// It is made if it does not exist. Podman gets it too, where Kiln starts it for containers-storage
    #[arg(long, global = true, value_name = "DIR")]
    pub runroot: Option<PathBuf>,
    /// How containers' trees are made: overlay, or vfs, which copies them (default: the first that works)
    /// [env: STORAGE_DRIVER]
    #[arg(long, global = true, value_name = "DRIVER")]
    pub storage_driver: Option<String>,
    /// An option of the store: mount_program=FILE, additionalimagestore=DIR, ignore_chown_errors=BOOL
    /// [env: STORAGE_OPTS]
    #[arg(long, global = true, value_name = "NAME=VALUE", value_delimiter = ',')]
    pub storage_opt: Vec<String>,
    /// How much is told beside the result: trace, debug, info, warn, error, fatal or panic
    #[arg(long, global = true, visible_alias = "loglevel", value_name = "LEVEL", default_value = "warn")]
    #[arg(value_parser = Level::parse)]
    pub log_level: Level,
    /// How progress is told: auto, tty (moving lines), plain, json or rawjson (an object per line, for programs), or
    /// quiet (of a build the step that fails)
    ///
    /// The objects of a transfer are `began` (task; bytes, null where nobody knows), `moved` (bytes so far, exact at
    /// last), `ended` (sent: bytes the target has got, null where there is none), `stopped` (it failed, and may begin
    /// anew) and `copied` (source and target of an image). Bytes of a layer that changes its form are counted as read.
    /// Warnings and errors are objects as well: `warning` and `error` (message; hint, null where there is none).
    #[arg(long, global = true, value_name = "FORM", default_value = "auto", hide_short_help = true)]
    #[arg(value_parser = Progress::parse)]
    pub progress: Progress,
    /// As --log-level debug
    #[arg(long, hide_short_help = true)]
    pub debug: bool,
    /// The registries.conf to use [env: CONTAINERS_REGISTRIES_CONF]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub registries_conf: Option<PathBuf>,
    /// The registries.conf.d to use
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub registries_conf_dir: Option<PathBuf>,
    /// The file with the short names resolved so far
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub short_name_alias_conf: Option<PathBuf>,
    /// The mounts.conf to use: what of the host every `run` sees
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub default_mounts_file: Option<PathBuf>,
    /// User ids of containers that `from` or `build` makes, where they say nothing themselves: INSIDE:OUTSIDE:LENGTH
    #[arg(long, value_name = "INSIDE:OUTSIDE:LENGTH", hide_short_help = true)]
    pub userns_uid_map: Vec<String>,
    /// Group ids of containers that `from` or `build` makes, where they say nothing themselves: INSIDE:OUTSIDE:LENGTH
    #[arg(long, value_name = "INSIDE:OUTSIDE:LENGTH", hide_short_help = true)]
    pub userns_gid_map: Vec<String>,
    /// Who sets limits: cgroupfs, that is Kiln itself
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub cgroup_manager: Option<String>,
    /// Tell at the end what the command cost
    #[arg(long, global = true, hide_short_help = true)]
    pub log_rusage: bool,
    /// Write what the command cost to this file
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub rusage_logfile: Option<PathBuf>,
    #[arg(long, global = true, value_name = "FILE", hide = true)]
    cpu_profile: Option<PathBuf>,
    #[arg(long, global = true, value_name = "FILE", hide = true)]
    memory_profile: Option<PathBuf>,
    #[arg(long, global = true, value_name = "DIR", hide = true)]
    imagestore: Option<PathBuf>,
    #[arg(long, global = true, hide = true)]
    transient_store: bool,
}

impl Globals {
    /// What is said of the store.
    pub fn storage(&self) -> StorageFlags<'_> {
        StorageFlags { driver: self.storage_driver.as_deref(), options: &self.storage_opt }
    }

    /// How much is told.
    pub fn level(&self) -> Level {
        if self.debug { Level::Debug.max(self.log_level) } else { self.log_level }
    }

    /// Refuses what cannot have its effect here, and does what is done before any verb.
    pub fn prepare(&self) -> Result<()> {
        match (self.progress, Environment::text("TERM").as_deref()) {
            // It moves no cursor.
            (Progress::Auto, Some("dumb")) => Progress::Plain.begin(),
            (progress, _) => progress.begin(),
        }
        let refused = [
            (self.cpu_profile.is_some(), "--cpu-profile", "profile it from outside: perf record kiln …"),
            (self.memory_profile.is_some(), "--memory-profile", "see what it used: kiln --log-rusage …"),
            (self.imagestore.is_some(), "--imagestore", "images and containers share one store: --root DIR"),
            (
                self.transient_store,
                "--transient-store",
                "use a store that goes with the machine: --root /run/DIR",
            ),
        ];
        if let Some((_, flag, hint)) = refused.into_iter().find(|(given, ..)| *given) {
            return Err(Error::new(Kind::Unsupported, format!("cannot use `{flag}`"))
                .because("Kiln has nothing like it")
                .hint(hint));
        }
        match self.cgroup_manager.as_deref() {
            None | Some("cgroupfs") => {}
            Some(other) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("cannot use the cgroup manager `{other}`"),
                )
                .because("limits are set by Kiln itself, in the cgroup file systems")
                .hint("use --cgroup-manager cgroupfs, or leave it away"));
            }
        }
        Ok(())
    }
}
