//! The command line as a whole: which verbs there are, and what is done before and after one.

use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::Instant;

use builder_core::{Builder, Host, Result};
use clap::{Parser, Subcommand};

use crate::args::Globals;
use crate::commands as c;
use crate::exit::{self, Exit};
use crate::settings::{self, ContainersConf};
use crate::ui::{self, Talk};

/// Builds container images step by step: working containers, no daemon, no root needed.
#[derive(Debug, Parser)]
#[command(
    name = "kiln",
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(Box<c::add::Args>),
    Check(c::check::Args),
    Commit(c::commit::Args),
    Config(Box<c::config::Args>),
    #[command(visible_aliases = ["list", "ls", "ps"])]
    Containers(c::containers::Args),
    Copy(Box<c::copy::Args>),
    Dockerfile(c::dockerfile::Args),
    Fork(c::fork::Args),
    From(c::from::Args),
    Images(c::images::Args),
    Info(c::info::Args),
    Inspect(c::inspect::Args),
    Log(c::log::Args),
    Mount(c::mount::Args),
    Prune(c::prune::Args),
    Pull(c::pull::Args),
    Push(c::push::Args),
    Rename(c::rename::Args),
    #[command(visible_alias = "delete")]
    Rm(c::rm::Args),
    Rmi(c::rmi::Args),
    Run(Box<c::run::Args>),
    Shell(c::shell::Args),
    Tag(c::tag::Args),
    #[command(visible_alias = "unmount")]
    Umount(c::umount::Args),
    Undo(c::undo::Args),
    Unshare(c::unshare::Args),
    Version(c::version::Args),
    Why(c::why::Args),
}

/// What every command is handed: how to get at the store, and as whom.
#[derive(Debug)]
pub struct Context {
    /// The flags of all verbs.
    pub globals: Globals,
    /// Who we are on this machine.
    pub host: Host,
    conf: OnceCell<ContainersConf>,
}

impl Context {
    /// Opens the store for a verb that reads and writes records only; `talk` shows what it tells.
    pub fn builder<'a>(&self, talk: &'a Talk) -> Result<Builder<'a>> {
        Builder::open(&settings::settings(&self.globals, self.host)?, self.host, talk)
    }

    /// Opens the store for a verb that touches files: an ordinary user's process moves into a namespace first.
    pub fn privileged<'a>(&self, talk: &'a Talk) -> Result<Builder<'a>> {
        // Before the namespace: inside, the answer to "which store" must be the same.
        let settings = settings::settings(&self.globals, self.host)?;
        self.host.enter("/etc".as_ref())?;
        Builder::open(&settings, self.host, talk)
    }

    /// The defaults of containers.conf; read when first asked for.
    pub fn containers_conf(&self) -> Result<&ContainersConf> {
        if self.conf.get().is_none() {
            let _ = self.conf.set(settings::containers_conf(self.host)?);
        }
        Ok(self.conf.get().expect("set just now"))
    }
}

/// Takes the words, does what they say, draws what comes of it.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = !error.use_stderr();
            let _ = error.print();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) };
        }
    };
    let began = Instant::now();
    cli.globals.level().begin();
    let context = Context { globals: cli.globals, host: Host::look(), conf: OnceCell::new() };
    let mut ended = context.globals.prepare().and_then(|()| run(cli.verb, &context));
    if context.globals.log_rusage || context.globals.rusage_logfile.is_some() {
        let told = ui::usage::tell(began, context.globals.rusage_logfile.as_deref());
        ended = ended.and_then(|exit| told.map(|()| exit));
    }
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui::show_error(&error);
            ExitCode::from(exit::FAILED)
        }
    }
}

fn run(verb: Verb, context: &Context) -> Result<Exit> {
    match verb {
        Verb::Add(args) => args.run(context),
        Verb::Check(args) => args.run(context),
        Verb::Commit(args) => args.run(context),
        Verb::Config(args) => args.run(context),
        Verb::Containers(args) => args.run(context),
        Verb::Copy(args) => args.run(context),
        Verb::Dockerfile(args) => args.run(context),
        Verb::Fork(args) => args.run(context),
        Verb::From(args) => args.run(context),
        Verb::Images(args) => args.run(context),
        Verb::Info(args) => args.run(context),
        Verb::Inspect(args) => args.run(context),
        Verb::Log(args) => args.run(context),
        Verb::Mount(args) => args.run(context),
        Verb::Prune(args) => args.run(context),
        Verb::Pull(args) => args.run(context),
        Verb::Push(args) => args.run(context),
        Verb::Rename(args) => args.run(context),
        Verb::Rm(args) => args.run(context),
        Verb::Rmi(args) => args.run(context),
        Verb::Run(args) => args.run(context),
        Verb::Shell(args) => args.run(context),
        Verb::Tag(args) => args.run(context),
        Verb::Umount(args) => args.run(context),
        Verb::Undo(args) => args.run(context),
        Verb::Unshare(args) => args.run(context),
        Verb::Version(args) => args.run(context),
        Verb::Why(args) => args.run(context),
    }
}
