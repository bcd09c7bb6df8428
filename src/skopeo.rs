//! The command line under the name `skopeo`: the verbs of `kiln image`, login and logout, with Skopeo's flags before
//! and after the verb and its exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use builder_core::{Error, Result};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::cli::Context;
use crate::commands::{completion, image, login, logout};
use crate::exit::Exit;
use crate::ui;

/// What Skopeo ends with when it fails, whatever failed.
const FAILED: u8 = 1;

/// The version of Skopeo whose command line this is, in the words of `skopeo --version`.
const VERSION: &str = "version 1.22.0";

/// Copies, looks at and deletes container images wherever they are
#[derive(Debug, Parser)]
#[command(name = "skopeo", subcommand_required = true, arg_required_else_help = false)]
#[command(args_override_self = true, version = VERSION, disable_version_flag = true)]
struct Skopeo {
    #[command(flatten)]
    globals: image::Globals,
    /// Print the version
    #[arg(long, short, action = clap::ArgAction::Version)]
    version: (),
    /// Tell more
    #[arg(long, global = true)]
    debug: bool,
    #[command(subcommand)]
    verb: Verb,
}

// A verb alone is for some a question, which Skopeo answers with their help, and for others an error.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    #[command(hide = true, long_about = None, arg_required_else_help = true)]
    Completion(completion::Args),
    #[command(arg_required_else_help = true)]
    Copy(Box<image::copy::Args>),
    Delete(image::delete::Args),
    Inspect(image::inspect::Args),
    #[command(arg_required_else_help = true)]
    ListTags(image::tags::Args),
    Login(login::Args),
    Logout(logout::Args),
    /// Print the digest of a manifest in a file
    ManifestDigest {
        /// The file
        manifest: PathBuf,
    },
    #[command(hide = true)]
    StandaloneSign(StandaloneSign),
    StandaloneVerify(image::verify::Args),
    #[command(arg_required_else_help = true)]
    Sync(Box<image::sync::Args>),
}

/// Not here: sign a manifest
#[derive(Debug, clap::Args)]
struct StandaloneSign {
    /// What Skopeo takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Takes the words, does what they say, draws what comes of it.
pub fn main() -> ExitCode {
    let skopeo = match Skopeo::try_parse() {
        Ok(skopeo) => skopeo,
        Err(error)
            if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
        {
            ui::result_bytes(error.render().to_string().as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            ui::show_error(&ui::words::misunderstood(&error, "skopeo"));
            return ExitCode::from(FAILED);
        }
    };
    if skopeo.debug {
        ui::Level::Debug.begin();
    }
    let context = Context::plain();
    match perform(skopeo, &context) {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui::show_error(&error);
            ExitCode::from(FAILED)
        }
    }
}

fn perform(skopeo: Skopeo, context: &Context) -> Result<Exit> {
    let verb = match skopeo.verb {
        Verb::Copy(args) => image::Verb::Copy(args),
        Verb::Delete(args) => image::Verb::Delete(args),
        Verb::Inspect(args) => image::Verb::Inspect(args),
        Verb::ListTags(args) => image::Verb::Tags(args),
        Verb::Sync(args) => image::Verb::Sync(args),
        Verb::StandaloneVerify(args) => return args.run(),
        Verb::StandaloneSign(StandaloneSign { words: _ }) => {
            return Err(Error::new(builder_core::Kind::Unsupported, "cannot sign a manifest")
                .because("Kiln signs nothing: it would have to keep keys")
                .hint("sign it with a tool that keeps the keys: gpg --sign --output SIGNATURE STATEMENT"));
        }
        Verb::Completion(args) => return Ok(args.run_as_skopeo(Skopeo::command())),
        Verb::Login(args) => return args.run(context),
        Verb::Logout(args) => return args.run(context),
        Verb::ManifestDigest { manifest } => {
            let bytes = std::fs::read(&manifest).map_err(|cause| {
                Error::new(builder_core::Kind::Io, format!("cannot read `{}`", manifest.display()))
                    .because(cause)
            })?;
            ui::result(builder_core::Digest::of(&bytes));
            return Ok(Exit::Success);
        }
    };
    image::perform(verb, skopeo.globals, context, FAILED)
}
