//! `kiln try`.

use builder_core::{Error, From, Isolation, Kind, Network, Result, Run, RunMount, Try};

use super::run::{checked_host, variable};
use crate::args::{PlatformArgs, PullArgs, RegistryArgs, RunOptions, proxies, run_defaults};
use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::{self, Talk};

/// The program was not started: it is no program, or the user may not run it.
const NOT_RUNNABLE: u8 = 126;

/// The program is not there.
const NOT_FOUND: u8 = 127;

/// Run an image, or a container as it is, once
///
/// It runs as it would be run elsewhere: with its entrypoint, command, variables, user and working directory. It is on
/// the host's network, so a port it listens on is the host's. What it changes is dropped when it ends.
///
/// The exit code is the command's own; 128 and the signal's number if a signal ended it; 126 if the program cannot be
/// run, 127 if there is none; 125 if Kiln itself failed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run this program in place of the entrypoint, without the usual command: a word, a JSON list of words, or nothing
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Set a variable; NAME alone takes its value from here
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The host name (default: the beginning of the container's id)
    #[arg(long)]
    hostname: Option<String>,
    /// Hand standard input on; with false there is none
    #[arg(long, short, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    interactive: Option<bool>,
    /// Mount something, as `kiln run --mount` does
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<String>,
    /// Its ports are the host's already: only HOST:CONTAINER with the same number twice can be had
    #[arg(long, short, value_name = "PORTS", hide = true)]
    publish: Vec<String>,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
    /// Drop what it changes: so it is always
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(hide = true)]
    rm: Option<bool>,
    /// Give it a terminal (default: if standard input and output are one)
    #[arg(long = "tty", short = 't', visible_alias = "terminal", value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tty: Option<bool>,
    /// Run it as this user, with a group after a colon (default: the image's user)
    #[arg(long, short, allow_hyphen_values = true)]
    user: Option<String>,
    /// Run it in this directory (default: the image's)
    #[arg(long, short, visible_alias = "workingdir", value_name = "DIR")]
    workdir: Option<String>,
    #[command(flatten)]
    pull: PullArgs,
    #[command(flatten)]
    platform: PlatformArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    options: RunOptions,
    /// The container, by name or id, else the image, by name, id or location; then what follows the entrypoint, in
    /// place of the usual command
    #[arg(value_name = "IMAGE|CONTAINER [COMMAND]", required = true)]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Args {
    /// Runs it and ends as it ended.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let image = self.words.first().map_or("", String::as_str);
        if image.starts_with('-') {
            return Err(Error::invalid(format!("cannot understand `{image}`"))
                .because("`kiln try` has no such flag")
                .hint("see `kiln try --help`"));
        }
        if self.rm == Some(false) {
            return Err(Error::invalid("cannot use `--rm=false`")
                .because("what is tried has no container that could stay")
                .hint(format!("make one: kiln from {image}")));
        }
        let talk = Talk { quiet: self.quiet };
        let mut tried = self.value(context)?;
        run_defaults::fill(&mut tried.run, context)?;
        match tried.perform(&context.privileged(&talk)?) {
            Ok(exit) => Ok(Exit::Child(exit.code())),
            Err(error) if error.kind() == Kind::NotStarted => {
                ui::show_error(&error);
                Ok(Exit::Child(if error.is_of_missing() { NOT_FOUND } else { NOT_RUNNABLE }))
            }
            Err(error) => Err(error),
        }
    }

    fn value(self, context: &Context) -> Result<Try> {
        let mut words = self.words.into_iter();
        let mut settings = self.options.settings(&context.globals)?;
        if settings.isolation.is_none() {
            let word = Environment::text("BUILDAH_ISOLATION");
            settings.isolation = word.map(|word| word.parse::<Isolation>()).transpose()?;
        }
        let host = matches!(settings.network, None | Some(Network::Host));
        self.publish.iter().try_for_each(|ports| published(ports, host))?;
        let variables: Vec<_> = self.env.iter().map(|entry| variable(entry)).collect::<Result<_>>()?;
        let terminal = self.tty.unwrap_or_else(ui::is_terminal);
        let run = Run {
            env: variables.into_iter().flatten().collect(),
            proxies: proxies(),
            user: self.user,
            workdir: self.workdir,
            hostname: self.hostname.map(checked_host).transpose()?,
            mounts: self.mount.iter().map(|text| text.parse::<RunMount>()).collect::<Result<_>>()?,
            terminal,
            no_pivot: Environment::get("BUILDAH_NOPIVOT").is_some(),
            runtime: Environment::text("BUILDAH_RUNTIME"),
            settings,
            ..Run::default()
        };
        Ok(Try {
            from: From {
                image: words.next().unwrap_or_default(),
                pull: self.pull.policy()?,
                platform: self.platform.wanted()?,
                access: self.registry.access()?,
                ..From::default()
            },
            command: words.collect(),
            entrypoint: self.entrypoint.as_deref().map(entrypoint).transpose()?,
            run,
            no_input: self.interactive == Some(false),
        })
    }
}

/// Whether a port is where `[ADDRESS:]HOST:CONTAINER[/PROTOCOL]` wants it; `host`: whether the network is the host's.
fn published(text: &str, host: bool) -> Result<()> {
    let ports = text.split('/').next().unwrap_or_default();
    let pair = ports.rsplit_once(':').map(|(outside, inside)| (outside.rsplit(':').next(), inside));
    match pair {
        Some((Some(outside), inside)) if host && outside == inside && !inside.is_empty() => Ok(()),
        _ => Err(Error::new(Kind::Unsupported, format!("cannot publish `{text}`"))
            .because("what is tried is on the host's network: its port 80 is the host's port 80")
            .hint("leave --publish and --network away, and use the port it listens on")),
    }
}

/// A program as `--entrypoint` names it: a word, or a list of words as Dockerfiles write it.
fn entrypoint(text: &str) -> Result<Vec<String>> {
    match text {
        "" => Ok(Vec::new()),
        list if list.starts_with('[') => serde_json::from_str(list).map_err(|cause| {
            Error::invalid(format!("cannot use the entrypoint `{list}`"))
                .because(cause)
                .hint("write a JSON list of words: --entrypoint '[\"sh\", \"-c\"]'")
        }),
        word => Ok(vec![word.to_owned()]),
    }
}
