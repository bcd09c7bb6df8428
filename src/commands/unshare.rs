//! `kiln unshare`.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use builder_core::{Error, Kind, Mount, Result, Umount};

use crate::args::list;
use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::Talk;

/// Run a command, or a shell, in a session where an ordinary user may mount containers
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Mount this container and set a variable to where: NAME, else the container's own name and KILN_MOUNT; several
    /// with commas between
    #[arg(long, short, value_name = "[NAME=]CONTAINER")]
    mount: Vec<String>,
    /// The command and its arguments (default: $SHELL)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
}

impl Args {
    /// Enters the namespaces, mounts what was asked for, and becomes the command.
    pub fn run(mut self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let ids = (rustix::process::getuid(), rustix::process::getgid());
        let builder = context.privileged(&talk)?;
        builder_core::begin_session(&builder)?;
        if self.command.is_empty() {
            self.command.push(Environment::get("SHELL").unwrap_or_else(|| "/bin/sh".into()));
        }
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        // What Buildah and Podman look for to know where they are.
        command.env("_CONTAINERS_USERNS_CONFIGURED", "done");
        if Environment::get("_CONTAINERS_ROOTLESS_UID").is_none() {
            command.env("_CONTAINERS_ROOTLESS_UID", ids.0.as_raw().to_string());
            command.env("_CONTAINERS_ROOTLESS_GID", ids.1.as_raw().to_string());
        }
        let mut mounted = Vec::new();
        for text in &list::split_all("--mount", &self.mount)? {
            let (name, container) = text.split_once('=').unwrap_or((text, text));
            let mount = Mount { container: container.to_owned() }.perform(&builder)?;
            command.env(name, &mount.path);
            if name == container {
                // A name with a dash is none a shell can ask for.
                command.env("KILN_MOUNT", &mount.path);
            }
            if !mounted.contains(&mount.id) {
                mounted.push(mount.id);
            }
        }
        let failed = |cause: std::io::Error| {
            let kind = if cause.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Io };
            Error::new(kind, format!("cannot run `{}`", self.command[0].to_string_lossy())).because(cause)
        };
        if mounted.is_empty() {
            return Err(failed(command.exec()));
        }
        let status = command.status().map_err(failed)?;
        for container in mounted {
            match (Umount { container }).perform(&builder) {
                // The command may have removed it.
                Err(error) if error.kind() == Kind::NotFound => {}
                taken => drop(taken?),
            }
        }
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(Exit::Child(u8::try_from(code).unwrap_or(u8::MAX)))
    }
}
