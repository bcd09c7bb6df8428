//! `kiln shell`.

use std::io::IsTerminal;

use builder_core::{Moment, Result, Shell};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::Talk;

/// Look around in a cached container as it is, or was after one of its steps
///
/// What is changed there is dropped at the end. The exit code is that of the shell or command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// As it was after this step, by its number in `kiln log`; 0 is before the first
    #[arg(long, value_name = "N", conflicts_with = "failed")]
    at: Option<usize>,
    /// As the last command that failed left it, with that command's user, variables, mounts and privileges
    #[arg(long)]
    failed: bool,
    /// What to run (default: the image's shell, or /bin/sh)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Args {
    /// Runs the shell and ends as it ended.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let moment = match (self.at, self.failed) {
            (Some(number), _) => Moment::After(number),
            (None, true) => Moment::Failed,
            (None, false) => Moment::Now,
        };
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let shell = Shell { container: self.container, moment, command: self.command, terminal };
        let builder = context.privileged_to_run(&talk, context.host.is_rootless())?;
        Ok(Exit::Child(shell.perform(&builder)?.code()))
    }
}
