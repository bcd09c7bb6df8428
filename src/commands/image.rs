//! `kiln image`: images wherever they are, as Skopeo handles them; the store has a part only where it is named.

pub mod copy;
pub mod delete;
pub mod inspect;
pub mod referrers;
pub mod sync;
pub mod tags;
pub mod verify;

use std::path::PathBuf;
use std::time::Duration;

use builder_core::{
    Access, Builder, Error, Kind, MachineStorage, RegistrySettings, Reporter, Result, Retry, Surroundings,
    Wanted,
};

use crate::args::duration;
use crate::cli::Context;
use crate::exit::{self, Exit};
use crate::settings;
use crate::ui::{self, Talk};

/// Copy, look at and delete images wherever they are
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// What `kiln image` and `skopeo` do.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    Copy(Box<copy::Args>),
    Delete(delete::Args),
    Inspect(inspect::Args),
    Referrers(referrers::Args),
    Sync(Box<sync::Args>),
    #[command(visible_alias = "list-tags")]
    Tags(tags::Args),
}

/// The flags of all of them: Skopeo's own.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Globals {
    /// Choose images for this platform: OS/ARCH or OS/ARCH/VARIANT
    #[arg(long, value_name = "PLATFORM", global = true)]
    #[arg(conflicts_with_all = ["override_arch", "override_os", "override_variant"])]
    platform: Option<String>,
    /// Choose images for this processor
    #[arg(long, value_name = "ARCH", global = true)]
    override_arch: Option<String>,
    /// Choose images for this operating system
    #[arg(long, value_name = "OS", global = true)]
    override_os: Option<String>,
    /// Choose images for this variant of the processor
    #[arg(long, value_name = "VARIANT", global = true)]
    override_variant: Option<String>,
    /// The signature policy, in place of policy.json
    #[arg(long, value_name = "FILE", global = true)]
    policy: Option<PathBuf>,
    /// Accept images whatever policy.json says
    #[arg(long, global = true, conflicts_with = "policy")]
    insecure_policy: bool,
    /// The directory that says where signatures are, in place of registries.d
    #[arg(long = "registries.d", value_name = "DIR", global = true)]
    registries_d: Option<PathBuf>,
    /// Where large temporary files go (default: image_copy_tmp_dir of containers.conf) [env: TMPDIR]
    #[arg(long, value_name = "DIR", global = true)]
    tmpdir: Option<PathBuf>,
    /// Give up after this time, e.g. 90s
    #[arg(long, value_name = "DURATION", global = true, value_parser = duration)]
    command_timeout: Option<Duration>,
}

/// How often what failed is tried again.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RetryArgs {
    /// How often what failed is tried again
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry_times: u32,
    /// How long is waited before that, e.g. 2s (default: longer each time, or as long as the registry asks)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    retry_delay: Option<Duration>,
}

/// What each of them is handed.
pub struct Tool<'a> {
    context: &'a Context,
    globals: Globals,
    registries: RegistrySettings,
    machine: MachineStorage,
    scratch: PathBuf,
}

impl Args {
    /// Does what its own verb says.
    pub fn run(self, context: &Context) -> Result<Exit> {
        perform(self.verb, self.globals, context, exit::FAILED)
    }
}

/// Does one verb; `failed` is how the process ends that takes too long.
pub fn perform(verb: Verb, globals: Globals, context: &Context, failed: u8) -> Result<Exit> {
    let tool = Tool::new(context, globals, failed)?;
    match verb {
        Verb::Copy(args) => args.run(&tool),
        Verb::Delete(args) => args.run(&tool),
        Verb::Inspect(args) => args.run(&tool),
        Verb::Referrers(args) => args.run(&tool),
        Verb::Sync(args) => args.run(&tool),
        Verb::Tags(args) => args.run(&tool),
    }
}

impl<'a> Tool<'a> {
    fn new(context: &'a Context, globals: Globals, failed: u8) -> Result<Self> {
        let mut registries = settings::registries(&context.globals);
        registries.signature_dirs =
            globals.registries_d.clone().map_or(registries.signature_dirs, |dir| vec![dir]);
        if globals.insecure_policy {
            // Where there is no policy, everything is accepted.
            registries.policy.clear();
        }
        let scratch =
            globals.tmpdir.clone().map_or_else(|| settings::scratch(context.host), |dir| Ok(Some(dir)))?;
        let scratch = scratch.unwrap_or_else(|| "/var/tmp".into());
        if let Some(limit) = globals.command_timeout {
            std::thread::spawn(move || {
                std::thread::sleep(limit);
                let hint = "give it longer with --command-timeout, or leave that out";
                ui::show_error(&Error::new(Kind::Io, format!("cannot finish in {limit:?}")).hint(hint));
                #[expect(clippy::disallowed_methods, reason = "nothing half-done has a name, and is swept")]
                std::process::exit(failed.into());
            });
        }
        let machine = settings::machine(&context.globals, context.host)?;
        Ok(Tool { context, globals, registries, machine, scratch })
    }

    /// The platform that is chosen of an index.
    pub fn platform(&self) -> Result<Wanted> {
        if let Some(platform) = &self.globals.platform {
            return Wanted::parse(platform);
        }
        Ok(Wanted {
            os: self.globals.override_os.clone(),
            arch: self.globals.override_arch.clone(),
            variant: self.globals.override_variant.clone(),
        })
    }

    /// What one end's flags say, with what is said of both.
    pub fn access(&self, mut access: Access, retry: &RetryArgs) -> Access {
        access.policy.clone_from(&self.globals.policy);
        // As Skopeo has it, no time at all is the same as none given.
        let delay = retry.retry_delay.filter(|delay| !delay.is_zero());
        access.retry = Retry { times: retry.retry_times, delay };
        access
    }

    /// Runs `work` with the store open if it has a part in it.
    pub fn with<T>(
        &self,
        talk: &Talk,
        needs_store: bool,
        work: impl FnOnce(&Surroundings<'_>) -> Result<T>,
    ) -> Result<T> {
        let builder = if needs_store {
            Some(self.context.privileged(talk)?.with_scratch(self.globals.tmpdir.clone()))
        } else {
            None
        };
        work(&surroundings(builder.as_ref(), self, talk))
    }
}

fn surroundings<'a>(
    builder: Option<&'a Builder<'a>>,
    tool: &'a Tool<'_>,
    reporter: &'a dyn Reporter,
) -> Surroundings<'a> {
    let Tool { scratch, registries, machine, .. } = tool;
    Surroundings { builder, scratch, registries, reporter, machine }
}
