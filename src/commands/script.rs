//! `kiln script`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use builder_core::{
    Builder, Error, Format, From, Host, Kind, Result, Rm, Settings, Wanted, inspect_container,
};
use dockerfile_frontend::script::{self, Places, Script};
use dockerfile_frontend::verbs::Begun;
use dockerfile_frontend::{Build, Given, Graph, Severity, Source, execute, parse};

use crate::args::{PullArgs, RegistryArgs};
use crate::build::{Named, find, ignore_file, name_and_value};
use crate::cli::Context;
use crate::commands::build::{arguments, platforms_of, report};
use crate::exit::Exit;
use crate::ui::{self, FailedStep, Talk};

/// Write a Dockerfile as a shell script of Kiln's verbs
///
/// The script does what a build does, step by step, and gives the same image: sh SCRIPT [CONTEXT [IMAGE]]. Images that
/// the file begins with are pulled, for what they say of themselves counts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The build context, in which the Dockerfile is looked for
    #[arg(default_value = ".", hide_default_value = true)]
    context: PathBuf,
    /// Give an argument of the Dockerfile a value; NAME alone takes it from here
    #[arg(long, value_name = "NAME=VALUE")]
    build_arg: Vec<String>,
    /// One more context, for --from of COPY and for FROM: NAME=DIRECTORY, NAME=docker-image://IMAGE,
    /// NAME=oci-layout://DIR
    #[arg(long, value_name = "NAME=VALUE")]
    build_context: Vec<String>,
    /// The Dockerfile, `-` for standard input (default: Containerfile or Dockerfile of the context)
    #[arg(long, short, value_name = "FILE")]
    file: Option<String>,
    /// Write out a layer for each step that may change files (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "true", hide_default_value = true)]
    layers: bool,
    /// Stop at this stage, by name or number (default: the last)
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    #[command(flatten)]
    pull: PullArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Args {
    /// Prints the script.
    pub fn run(self, context: &Context) -> Result<Exit> {
        // A file may be named in place of a context, as people type it.
        let (dir, named) = match (&self.file, self.context.is_file()) {
            (None, true) => (PathBuf::from("."), self.context.to_str().map(str::to_owned)),
            (file, _) => (self.context.clone(), file.clone()),
        };
        let (bytes, name, path) = find(&dir, named.as_deref())?;
        let source = Source::new(name.as_str(), &bytes).map_err(|fault| report::faults(&name, &[fault]))?;
        let parsed = parse(&source);
        if parsed.has_errors() {
            let wrong = parsed.diagnostics.iter().filter(|fault| fault.severity == Severity::Error);
            return Err(report::faults(&name, &wrong.cloned().collect::<Vec<_>>()));
        }
        let platform = platforms_of(&Wanted::default(), self.target.as_deref());
        let given = Given { arguments: arguments(&[], &self.build_arg)?, platform };
        let graph = Graph::new(&parsed.dockerfile, &source, &given, self.target.as_deref())
            .map_err(|faults| report::faults(&name, &faults))?;
        let settings = context.entered()?;
        let beside = ignore_file(&dir, path.as_deref())?.filter(|file| file.parent() != Some(dir.as_path()));
        let ignorefile = beside.map(|file| file.display().to_string());
        let places = Places { ignorefile, layers: self.layers, named: self.named()? };
        let host = context.host;
        let look = |image: &str, platform: Option<&str>| self.look(host, &settings, image, platform);
        let script = Script::new(places, &look);
        let build = Build {
            dockerfile: &parsed.dockerfile,
            source: &source,
            graph: &graph,
            given: &given,
            jobs: 1,
            all: false,
        };
        let built = execute(build, &script)
            .map_err(|failed| report::failure(failed, &source, &FailedStep::default()))?;
        ui::result_bytes(script.finish(&built).as_bytes());
        Ok(Exit::Success)
    }

    /// The build contexts with names.
    fn named(&self) -> Result<BTreeMap<String, script::Named>> {
        let mut named = BTreeMap::new();
        for text in &self.build_context {
            let (name, value) = name_and_value(text)?;
            let one = match Named::here(value) {
                Some(Named::Directory(dir)) => script::Named::Directory(dir.display().to_string()),
                Some(Named::Image(image)) => script::Named::Image(image),
                None => {
                    return Err(Error::new(
                        Kind::Unsupported,
                        format!("cannot use the build context `{text}`"),
                    )
                    .because("a script does not fetch it")
                    .hint("fetch it first, and name the directory"));
                }
            };
            named.insert(name.to_owned(), one);
        }
        Ok(named)
    }

    /// What an image says of itself, which only whoever has it knows.
    fn look(&self, host: Host, settings: &Settings, image: &str, platform: Option<&str>) -> Result<Begun> {
        let talk = Talk { quiet: true };
        let builder = Builder::open(settings, host, &talk)?;
        let from = From {
            image: image.to_owned(),
            format: Format::Oci,
            access: self.registry.access()?,
            pull: self.pull.policy()?,
            platform: platform.map(Wanted::parse).transpose()?.unwrap_or_default(),
            ..From::default()
        };
        let made = from.perform(&builder)?;
        let details = inspect_container(&builder, &made.id);
        Rm { container: made.id }.perform(&builder)?;
        let config = details?.draft.config.config;
        let env = config.env.iter().map(|entry| entry.split_once('=').unwrap_or((entry, "")));
        Ok(Begun {
            container: String::new(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            workdir: config.working_dir,
            user: config.user,
            shell: config.shell,
            on_build: config.on_build,
        })
    }
}
