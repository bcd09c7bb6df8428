//! `kiln run`.

use builder_core::{Error, Kind, Network, Result, Run, Volume};

use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::Talk;

/// Run a command in a working container
///
/// The exit code is the command's own; 128 and the signal's number if a signal ended it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show the command in the image's history [env: BUILDAH_HISTORY]
    #[arg(long)]
    add_history: bool,
    /// Let it do more than the default capabilities allow: CAP_NAME, or all
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_add: Vec<String>,
    /// Let it do less: CAP_NAME, or all
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_drop: Vec<String>,
    /// Set a variable for this command; NAME alone takes its value from here
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The host name (default: the beginning of the container's id)
    #[arg(long)]
    hostname: Option<String>,
    /// Which network it sees: host, or none (a loopback device only)
    #[arg(long, visible_alias = "net", value_name = "NETWORK", default_value = "host")]
    network: String,
    /// Leave the image's own /etc/hosts alone
    #[arg(long)]
    no_hosts: bool,
    /// Give it a terminal
    #[arg(long, short = 't', visible_alias = "tty", value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    terminal: Option<bool>,
    /// Run it as this user, with a group after a colon (default: the image's user)
    #[arg(long, short)]
    user: Option<String>,
    /// Mount a directory or file of the host: HOST:CONTAINER[:OPTIONS]; options are ro, rw, O (changes are dropped), z,
    /// Z, U (given to the container's user), [no]exec, [no]suid, [no]dev, [r]bind, [r]private, [r]slave, [r]shared
    #[arg(long, short, value_name = "VOLUME")]
    volume: Vec<String>,
    /// Run it in this directory (default: the image's)
    #[arg(long, visible_alias = "cwd", value_name = "DIR")]
    workingdir: Option<String>,
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
        let history = self.add_history || Environment::text("BUILDAH_HISTORY").as_deref() == Some("true");
        let line = history.then(|| self.command.join(" "));
        let run = Run {
            env: self
                .env
                .iter()
                .map(|entry| variable(entry))
                .collect::<Result<Vec<_>>>()?
                .into_iter()
                .flatten()
                .collect(),
            volumes: self.volume.iter().map(|text| text.parse::<Volume>()).collect::<Result<_>>()?,
            network: network(&self.network)?,
            args: self.command,
            user: self.user,
            workdir: self.workingdir,
            hostname: self.hostname,
            terminal: self.terminal.unwrap_or(false),
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            no_hosts: self.no_hosts,
            ..Run::default()
        };
        let builder = context.privileged(&talk)?;
        let exit = run.perform_in(&builder, &self.container, line.as_deref())?;
        Ok(Exit::Child(exit.code()))
    }
}

/// `NAME=value`, or `NAME` with its value from our environment; one that is not set here is not set there.
fn variable(text: &str) -> Result<Option<(String, String)>> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, Environment::text(text)),
    };
    if name.is_empty() {
        return Err(Error::invalid(format!("cannot set the variable `{text}`")).because("it has no name"));
    }
    Ok(value.map(|value| (name.to_owned(), value)))
}

fn network(text: &str) -> Result<Network> {
    match text {
        "host" => Ok(Network::Host),
        "none" => Ok(Network::None),
        _ => Err(Error::new(Kind::Unsupported, format!("cannot use the network `{text}`"))
            .because("this version has `host` and `none`")
            .hint("use --network host, or --network none")),
    }
}
