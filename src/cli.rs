//! The command line as a whole: which verbs there are, and what is done before and after one.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use builder_core::{Builder, Host, Result, Settings};
use clap::builder::{BoolishValueParser, Resettable, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _};

use crate::args::Globals;
use crate::commands as c;
use crate::exit::{self, Exit};
use crate::settings::{self, ContainersConf};
use crate::ui::{self, Talk};

/// Makes `commands` and `perform` of the table of verbs: the module in `commands`, the name, other names.
macro_rules! verbs {
    ($($module:ident $name:literal $(or $($alias:literal),+)?;)+) => {
        /// A command for each verb that is wanted. What it takes is only worked out when it is used, unless all that
        /// there is is asked for.
        fn commands(verbs: Verbs) -> Vec<Command> {
            let mut commands = Vec::new();
            $(if verbs.include(&[$name $($(, $alias)+)?]) {
                let command = Command::new($name)$(.visible_aliases([$($alias),+]))?;
                let define: fn(Command) -> Command =
                    |command| tune(c::$module::Args::augment_args(without_globals(command)));
                commands.push(if matches!(verbs, Verbs::Whole) { define(command) } else { command.defer(define) });
            })+
            commands
        }

        /// Does what the words of one verb say.
        fn perform(name: &str, words: &ArgMatches, context: &Context) -> Result<Exit> {
            match name {
                $($name => c::$module::Args::from_arg_matches(words)
                    .map_err(|error| ui::words::misunderstood(&error, &format!("kiln {name}")))?
                    .run(context),)+
                _ => unreachable!("the parser knows the verbs of this table only"),
            }
        }
    };
}

verbs! {
    add "add";
    build "build" or "bud", "build-using-dockerfile";
    check "check";
    commit "commit";
    completion "completion";
    config "config";
    containers "containers" or "list", "ls", "ps";
    copy "copy";
    diff "diff";
    dockerfile "dockerfile";
    doctor "doctor";
    du "du";
    fork "fork";
    from "from";
    history "history";
    image "image";
    images "images";
    info "info";
    inspect "inspect";
    load "load";
    log "log";
    login "login";
    logout "logout";
    man "man";
    manifest "manifest";
    mount "mount";
    prune "prune";
    pull "pull";
    push "push";
    rename "rename";
    rm "rm" or "delete";
    rmi "rmi";
    run "run";
    script "script";
    save "save";
    shell "shell";
    source "source";
    tag "tag";
    r#try "try";
    umount "umount" or "unmount";
    undo "undo";
    unshare "unshare";
    version "version";
    why "why";
}

/// How much of the table of verbs the parser is told. Each verb it knows costs it a copy of the flags of all verbs.
#[derive(Debug, Clone, Copy)]
pub enum Verbs<'a> {
    /// Every verb with all that it takes, as help and man pages need it.
    Whole,
    /// Every verb by its names: enough to say which one was meant.
    Named,
    /// The verbs that are among these words, by their names: the one that was typed is one of them. This is what a
    /// start can afford.
    Typed(&'a [OsString]),
}

impl Verbs<'_> {
    fn include(self, names: &[&str]) -> bool {
        match self {
            Verbs::Whole | Verbs::Named => true,
            Verbs::Typed(words) => words.iter().any(|word| names.iter().any(|name| word == name)),
        }
    }
}

/// What every command is handed: the flags of all verbs, how to get at the store, and as whom.
#[derive(Debug)]
pub struct Context {
    /// The flags of all verbs.
    pub globals: Globals,
    /// Who we are on this machine.
    pub host: Host,
}

impl Context {
    /// Without flags.
    pub fn plain() -> Self {
        Context { globals: Globals::default(), host: Host::look() }
    }

    /// Opens the store for a verb that reads and writes records only; `talk` shows what it tells.
    pub fn builder<'a>(&self, talk: &'a Talk) -> Result<Builder<'a>> {
        Builder::open(&settings::settings(&self.globals, self.host)?, self.host, talk)
    }

    /// Opens the store for a verb that touches files: an ordinary user's process moves into a namespace first.
    pub fn privileged<'a>(&self, talk: &'a Talk) -> Result<Builder<'a>> {
        Builder::open(&self.entered()?, self.host, talk)
    }

    /// The settings of a store, for a verb that opens it several times: an ordinary user's process moves into a
    /// namespace.
    pub fn entered(&self) -> Result<Settings> {
        // Before the namespace: inside, the answer to "which store" must be the same.
        let settings = settings::settings(&self.globals, self.host)?;
        self.host.enter("/etc".as_ref())?;
        Ok(settings)
    }

    /// As [`Context::privileged`], for a verb that runs a command; `network` says whether that may get a network of its
    /// own that is joined to the host's.
    pub fn privileged_to_run<'a>(&self, talk: &'a Talk, network: bool) -> Result<Builder<'a>> {
        Builder::open(&self.entered_to_run(network)?, self.host, talk)
    }

    /// As [`Context::entered`], for a verb that runs commands; `network` as in [`Context::privileged_to_run`].
    pub fn entered_to_run(&self, network: bool) -> Result<Settings> {
        let settings = settings::settings(&self.globals, self.host)?;
        let settings = Settings { reuse_networks: true, ..settings };
        match network {
            true => {
                let keep = settings::network_keep()?;
                builder_core::enter_for_commands(self.host, "/etc".as_ref(), &settings, keep)?;
            }
            false => self.host.enter("/etc".as_ref())?,
        }
        Ok(settings)
    }

    /// The defaults of containers.conf; read when first asked for.
    pub fn containers_conf(&self) -> Result<&'static ContainersConf> {
        settings::containers_conf()
    }
}

/// The command line as the parser knows it, with these verbs.
pub fn command(verbs: Verbs) -> Command {
    let version = Arg::new("version").long("version").short('v').action(ArgAction::Version);
    let command = Globals::augment_args(Command::new("kiln").arg(version.help("Print the version")))
        .about("Builds container images step by step: working containers, no daemon, no root needed")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg_required_else_help(true)
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .after_help(
            "`kiln VERB --help` tells what a verb takes.\n\nWith KILN_PODMAN=1, and called as buildah, images are also \
             where Podman looks; KILN_PODMAN=0\nkeeps them in Kiln's store. KILN_STORAGE_WAIT=SECONDS says how long a \
             lock there is waited for (300).\n\nA private network stays ready for the next command, with the \
             program pasta, for 20 seconds, or as\nmany as KILN_NETWORK_KEEP=SECONDS says; 0 for none.",
        );
    tune(command).subcommands(commands(verbs))
}

/// The flags of all verbs are told once, in the help of all.
fn without_globals(command: Command) -> Command {
    let hide = |arg: Arg| if arg.is_global_set() { arg.hide(true) } else { arg };
    command.mut_args(hide).after_help("`kiln --help` tells which flags all verbs take.")
}

/// Takes flags as the field's tools do: a switch may have its value after `=`, and of a flag given twice the last one
/// holds.
fn tune(command: Command) -> Command {
    let switch = |arg: Arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .hide_default_value(true)
            .hide_possible_values(true)
            .value_name("BOOL")
            .value_parser(Resettable::Value(ValueParser::new(BoolishValueParser::new()))),
        _ => arg,
    };
    command.args_override_self(true).mut_args(switch).mut_subcommands(tune)
}

/// Takes the words, does what they say, draws what comes of it.
pub fn main() -> ExitCode {
    let began = Instant::now();
    let (globals, verb) = match understand() {
        Ok(understood) => understood,
        Err(code) => return code,
    };
    globals.level().begin();
    let context = Context { globals, host: Host::look() };
    let prepared = settings::engine_env(context.host).and_then(|variables| {
        context.host.set_variables(&variables);
        context.globals.prepare()
    });
    let mut ended = prepared.and_then(|()| perform(&verb.0, &verb.1, &context));
    if context.globals.log_rusage || context.globals.rusage_logfile.is_some() {
        let told = ui::usage::tell(began, context.globals.rusage_logfile.as_deref());
        ended = ended.and_then(|exit| told.map(|()| exit));
    }
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => failed(&builder_core::name_refused_call(error)),
    }
}

fn failed(error: &builder_core::Error) -> ExitCode {
    ui::show_error(error);
    ExitCode::from(exit::FAILED)
}

/// The flags of all verbs, the verb, and its words; or how to end at once.
fn understand() -> std::result::Result<(Globals, (String, ArgMatches)), ExitCode> {
    let words = help_as_flag(std::env::args_os().collect());
    let parsed = match command(Verbs::Typed(&words)).try_get_matches_from(&words) {
        // What each verb is about is only known when all are worked out.
        Err(error) if asks(&error) && typed(&words) == "kiln" => {
            command(Verbs::Whole).try_get_matches_from(&words)
        }
        // Which verb was meant is only known among all of them.
        Err(error) if !asks(&error) => command(Verbs::Named).try_get_matches_from(&words),
        parsed => parsed,
    };
    let misunderstood = |error| failed(&ui::words::misunderstood(&error, &typed(&words)));
    let mut matches = parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayVersion => {
            ui::result(c::version::line());
            ExitCode::SUCCESS
        }
        _ if asks(&error) => {
            ui::result_bytes(error.render().to_string().as_bytes());
            ExitCode::SUCCESS
        }
        _ => misunderstood(error),
    })?;
    let globals = Globals::from_arg_matches(&matches).map_err(misunderstood)?;
    Ok((globals, matches.remove_subcommand().expect("the parser requires a verb")))
}

/// The program's name and the verb, as far as one was typed.
fn typed(words: &[OsString]) -> String {
    let known = command(Verbs::Named);
    let verb = words.iter().skip(1).filter_map(|word| known.find_subcommand(word)).next();
    verb.map_or_else(|| "kiln".to_owned(), |verb| format!("kiln {}", verb.get_name()))
}

/// Whether this is no error but a question: for help, for the version, or no word at all.
fn asks(error: &clap::Error) -> bool {
    use ErrorKind as E;
    matches!(error.kind(), E::DisplayHelp | E::DisplayVersion | E::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// `kiln help VERB` is `kiln VERB --help`.
fn help_as_flag(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command(Verbs::Whole).debug_assert();
    }

    #[test]
    fn switches_take_values() {
        let prune = |words: &[&str]| {
            let words = ["kiln", "prune"].iter().chain(words);
            let matches = command(Verbs::Named).try_get_matches_from(words).unwrap();
            *matches.subcommand().unwrap().1.get_one::<bool>("all").unwrap()
        };
        assert!(prune(&["--all"]) && prune(&["-a"]) && prune(&["--all=true"]) && prune(&["--all=1"]));
        assert!(!prune(&["--all=false"]) && !prune(&["--all", "--all=f"]));
    }
}
