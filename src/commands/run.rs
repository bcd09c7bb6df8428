//! `kiln run`.

use std::path::PathBuf;

use builder_core::{Error, Isolation, Kind, Result, Run, RunMount, Shown, SshAgent};

use crate::args::{Globals, RunOptions, proxies, run_defaults, secrets};
use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::{self, Talk};

/// Run a command in a working container
///
/// The exit code is the command's own; 128 and the signal's number if a signal ended it; 1 if it could not be started;
/// 125 if Kiln itself failed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show the command in the image's history [env: BUILDAH_HISTORY]
    #[arg(long)]
    add_history: bool,
    /// Look for the sources of bind mounts in this directory, and nowhere else
    #[arg(long, value_name = "DIR")]
    contextdir: Option<PathBuf>,
    /// Set a variable for this command; NAME alone takes its value from here
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The host name (default: the beginning of the container's id)
    #[arg(long)]
    hostname: Option<String>,
    /// Mount for this command: type=bind,src=PATH,dst=PATH (from=IMAGE for its files; rw changes are dropped),
    /// type=tmpfs (tmpfs-size=, tmpfs-mode=, tmpcopyup), type=cache (id=, sharing=shared|private|locked, mode=, uid=,
    /// gid=, from=, src=), type=secret (id=, env=, required, mode=, uid=, gid=), type=ssh (id=, required, mode=, uid=,
    /// gid=); also ro, rw, nosuid, nodev, noexec, U, z, Z, bind-propagation=, relabel=, bind-nonrecursive
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<String>,
    /// Change the root directory by chroot, for a store on a RAM disk [env: BUILDAH_NOPIVOT]
    #[arg(long)]
    no_pivot: bool,
    /// Have this OCI runtime run it, such as runc or crun [env: BUILDAH_RUNTIME]
    #[arg(long, value_name = "PROGRAM")]
    runtime: Option<String>,
    /// An option for that runtime, without the leading --; without --runtime for the one of containers.conf, else
    /// crun or runc
    #[arg(long, value_name = "FLAG", value_delimiter = ',')]
    runtime_flag: Vec<String>,
    /// A secret that mounts may ask for: id=ID,src=FILE or id=ID,env=VARIABLE; with ,keyed another
    /// value makes a cached step another one
    #[arg(long, value_name = "SECRET")]
    secret: Vec<String>,
    /// An SSH agent that mounts may ask for: default, or ID=SOCKET
    #[arg(long, value_name = "AGENT")]
    ssh: Vec<String>,
    /// Give it a terminal (default: if standard input and output are one)
    #[arg(long, short = 't', visible_alias = "tty", value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    terminal: Option<bool>,
    /// Run it as this user, with a group after a colon (default: the image's user)
    #[arg(long, short, allow_hyphen_values = true)]
    user: Option<String>,
    /// End with 0 also where the command ends with one of these codes
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    valid_exit_codes: Vec<u8>,
    /// Run it in this directory (default: the image's)
    #[arg(long, visible_alias = "cwd", value_name = "DIR")]
    workingdir: Option<String>,
    #[command(flatten)]
    options: RunOptions,
    /// The container, by name or id
    container: String,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Args {
    /// Runs the command and ends as it ended.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let history = self.add_history || Environment::wants_history();
        let shown = if history { Shown::Line(None) } else { Shown::Nothing };
        let (container, valid) = (self.container.clone(), self.valid_exit_codes.clone());
        let mut run = self.value()?;
        run_defaults::fill(&mut run, context)?;
        let builder = context.privileged_to_run(&talk, run.wants_network(context.host))?;
        match run.perform_in(&builder, &container, &shown) {
            Ok(exit) if valid.contains(&exit.code()) => Ok(Exit::Success),
            Ok(exit) => Ok(Exit::Child(exit.code())),
            // As an OCI runtime says it.
            Err(error) if error.kind() == Kind::NotStarted => {
                ui::show_error(&error);
                Ok(Exit::Child(1))
            }
            Err(error) => Err(error),
        }
    }

    /// The verb, with what the environment adds.
    fn value(self) -> Result<Run> {
        let mut settings = self.options.settings(&Globals::default())?;
        if settings.isolation.is_none() {
            let word = Environment::text("BUILDAH_ISOLATION");
            settings.isolation = word.map(|word| word.parse::<Isolation>()).transpose()?;
        }
        let agent = || Environment::get("SSH_AUTH_SOCK").map(PathBuf::from);
        let variables: Vec<_> = self.env.iter().map(|entry| variable(entry)).collect::<Result<_>>()?;
        Ok(Run {
            args: self.command,
            env: variables.into_iter().flatten().collect(),
            proxies: proxies(),
            user: self.user,
            workdir: self.workingdir,
            hostname: self.hostname.map(checked_host).transpose()?,
            mounts: self.mount.iter().map(|text| text.parse::<RunMount>()).collect::<Result<_>>()?,
            contextdir: self.contextdir,
            secrets: secrets(&self.secret)?,
            ssh: self.ssh.iter().map(|text| SshAgent::parse(text, agent())).collect::<Result<_>>()?,
            terminal: self.terminal.unwrap_or_else(ui::is_terminal),
            no_pivot: self.no_pivot || Environment::get("BUILDAH_NOPIVOT").is_some(),
            runtime: self.runtime.or_else(|| Environment::text("BUILDAH_RUNTIME")),
            runtime_flags: self.runtime_flag,
            settings,
            ..Run::default()
        })
    }
}

/// `NAME=value`, or `NAME` with its value from our environment; one that is not set here is not set there.
pub(super) fn variable(text: &str) -> Result<Option<(String, String)>> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, Environment::text(text)),
    };
    if name.is_empty() {
        return Err(Error::invalid(format!("cannot set the variable `{text}`"))
            .because("it has no name")
            .hint("write NAME=VALUE, or NAME alone for the value that it has here"));
    }
    Ok(value.map(|value| (name.to_owned(), value)))
}

/// A host name that the kernel takes and that cannot add a line to a file.
pub(super) fn checked_host(name: String) -> Result<String> {
    let fits = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(fits) {
        return Ok(name);
    }
    let shown: String = name.chars().take(80).collect();
    Err(Error::invalid(format!("cannot use the host name `{}`", shown.escape_debug()))
        .because("a host name is one word of at most 64 letters")
        .hint("leave --hostname away for the beginning of the container's id"))
}
