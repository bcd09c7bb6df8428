//! The words of `kiln build`, and what they mean.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use builder_core::{Error, Format, Isolation, Result, Secret, SshAgent, Times, Wanted, host_architecture};
use dockerfile_frontend::Given;

use crate::args::times::times;
use crate::args::{PullArgs, RegistryArgs, RunOptions};
use crate::build::Options;
use crate::commands::parse_format;
use crate::settings::{self, Environment};

/// Build an image by a Dockerfile
///
/// The context is a directory, a repository (https://HOST/REPOSITORY.git#REFERENCE:DIRECTORY), the address of a tar or
/// of a Dockerfile, or `-` for either on standard input. Stages that do not need each other are built side by side.
/// Prints the image id.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The build context
    #[arg(default_value = ".", hide_default_value = true)]
    pub context: String,
    /// Set an annotation of the image: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    pub annotation: Vec<String>,
    /// Give an argument of the Dockerfile a value; NAME alone takes it from here
    #[arg(long, value_name = "NAME=VALUE")]
    pub build_arg: Vec<String>,
    /// Give arguments values by a file of NAME=VALUE lines
    #[arg(long, value_name = "FILE")]
    pub build_arg_file: Vec<PathBuf>,
    /// One more context, for --from of COPY and for FROM: NAME=DIRECTORY, NAME=docker-image://IMAGE,
    /// NAME=oci-layout://DIR, NAME=ADDRESS
    #[arg(long, value_name = "NAME=VALUE")]
    pub build_context: Vec<String>,
    /// Answer a question about the Dockerfile and build nothing: check, outline, targets
    #[arg(long, value_name = "QUESTION", value_parser = ["check", "outline", "targets"])]
    pub call: Option<String>,
    /// Look for mistakes and build nothing; fails if there are any
    #[arg(long)]
    pub check: bool,
    /// Set a variable of the image; NAME alone takes its value from here
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// The Dockerfile, `-` for standard input (default: Containerfile or Dockerfile of the context)
    #[arg(long, short, value_name = "FILE")]
    pub file: Option<String>,
    /// The image's format: oci or docker (default: oci) [env: BUILDAH_FORMAT]
    #[arg(long, value_parser = parse_format)]
    pub format: Option<Format>,
    /// In place of the image of the first FROM
    #[arg(long, value_name = "IMAGE")]
    pub from: Option<String>,
    /// Leave out what this file's patterns match (default: FILE.containerignore or FILE.dockerignore beside the
    /// Dockerfile, or .containerignore or .dockerignore of the context)
    #[arg(long, value_name = "FILE")]
    pub ignorefile: Option<PathBuf>,
    /// Write the image id to this file, with `sha256:` before it
    #[arg(long, value_name = "FILE")]
    pub iidfile: Option<PathBuf>,
    /// Write the image id to this file, without
    #[arg(long, value_name = "FILE")]
    pub iidfile_raw: Option<PathBuf>,
    /// How many stages are built at once; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    pub jobs: usize,
    /// Set the label io.buildah.version, as Buildah does
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "false", hide_default_value = true)]
    pub identity_label: bool,
    /// Set a label of the image: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// One layer for each step that may change files (default: true; called as buildah, false) [env: BUILDAH_LAYERS]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub layers: Option<bool>,
    /// Write the ids and names of the image to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// Take nothing from the cache
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "false", hide_default_value = true)]
    pub no_cache: bool,
    /// Let the image tell nothing of what made it
    #[arg(long)]
    pub omit_history: bool,
    /// With false, the manifest has no annotation of when the image was made
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub created_annotation: Option<bool>,
    /// Write what the build tells to this file
    #[arg(long, value_name = "FILE")]
    pub logfile: Option<PathBuf>,
    /// Put the image elsewhere too: type=oci,dest=FILE or type=docker,dest=FILE
    #[arg(long, short, value_name = "OUTPUT")]
    pub output: Vec<String>,
    /// Add the image to this list, which is made if it is not there; it has one image for each platform
    #[arg(long, value_name = "LIST")]
    pub manifest: Option<String>,
    /// The platform: OS/ARCHITECTURE[/VARIANT] (default: this machine's); several with --manifest
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub platform: Vec<String>,
    #[command(flatten)]
    pub pull: PullArgs,
    /// Show what is done only where it fails
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub run: RunOptions,
    /// With false, files keep their times whatever --source-date-epoch says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub rewrite_timestamp: Option<bool>,
    /// Remove the containers of the build; =false keeps them if it succeeds (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "true", hide_default_value = true)]
    pub rm: bool,
    /// Date the image at this time, and no file in its layers later than it (seconds since 1970)
    /// [env: SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "SECONDS", conflicts_with = "timestamp", allow_negative_numbers = true)]
    pub source_date_epoch: Option<i64>,
    /// Have this OCI runtime run commands, such as runc or crun [env: BUILDAH_RUNTIME]
    #[arg(long, value_name = "PROGRAM")]
    pub runtime: Option<String>,
    /// An option for that runtime, without the leading --
    #[arg(long, value_name = "FLAG", value_delimiter = ',')]
    pub runtime_flag: Vec<String>,
    /// A secret that RUN --mount=type=secret may ask for: id=ID,src=FILE or id=ID,env=VARIABLE; with ,keyed another
    /// value makes a cached step another one
    #[arg(long, value_name = "SECRET")]
    pub secret: Vec<String>,
    /// One layer with everything in it, the base's layers included
    #[arg(long)]
    pub squash: bool,
    /// An SSH agent that RUN --mount=type=ssh may ask for: default, or ID=SOCKET
    #[arg(long, value_name = "AGENT")]
    pub ssh: Vec<String>,
    /// Let commands read standard input
    #[arg(long)]
    pub stdin: bool,
    /// A name of the image, any number
    #[arg(long, short, value_name = "NAME")]
    pub tag: Vec<String>,
    /// Build this stage, by name or number, and what it needs (default: the last)
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Date the image, and every file in its layers, at this time (seconds since 1970)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub timestamp: Option<i64>,
    /// Remove an annotation of the image
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub unsetannotation: Vec<String>,
    /// Remove a variable of the image
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub unsetenv: Vec<String>,
    /// Remove a label of the image
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub unsetlabel: Vec<String>,
}

impl Args {
    /// The image's format: the flag, the environment, OCI's.
    pub fn format(&self) -> Result<Format> {
        let named = || {
            let text = Environment::text("BUILDAH_FORMAT")?;
            Some(parse_format(&text).map_err(|because| {
                Error::invalid(format!("cannot use BUILDAH_FORMAT=`{text}`")).because(because)
            }))
        };
        self.format.map(Ok).or_else(named).unwrap_or(Ok(Format::Oci))
    }

    /// What the file is given: arguments and platforms.
    pub fn given(&self, wanted: &Wanted) -> Result<Given> {
        Ok(Given {
            arguments: arguments(&self.build_arg_file, &self.build_arg)?,
            platform: platforms_of(wanted, self.target.as_deref()),
        })
    }

    /// How stages are built.
    pub fn options(&self, parallel: bool, wanted: Wanted) -> Result<Options> {
        let (times, created) = self.times()?;
        let layers = match (self.layers, Environment::text("BUILDAH_LAYERS").as_deref()) {
            (Some(layers), _) => layers,
            (None, Some(text)) => matches!(text, "1" | "true"),
            (None, None) => !settings::is_buildah(),
        };
        let mut settings = self.run.settings()?;
        if settings.isolation.is_none() {
            let word = Environment::text("BUILDAH_ISOLATION");
            settings.isolation = word.map(|word| word.parse::<Isolation>()).transpose()?;
        }
        let variable = |name: &str| Environment::get(name).map(|value| value.as_bytes().to_vec());
        let agent = || Environment::get("SSH_AUTH_SOCK").map(PathBuf::from);
        Ok(Options {
            layers: layers && !self.squash,
            cached: !self.no_cache,
            format: self.format()?,
            times,
            created,
            from: self.from.clone(),
            settings,
            secrets: self.secret.iter().map(|text| Secret::parse(text, &variable)).collect::<Result<_>>()?,
            ssh: self.ssh.iter().map(|text| SshAgent::parse(text, agent())).collect::<Result<_>>()?,
            runtime: self.runtime.clone().or_else(|| Environment::text("BUILDAH_RUNTIME")),
            runtime_flags: self.runtime_flag.clone(),
            policy: self.pull.policy()?,
            wanted,
            quiet: self.quiet,
            logfile: self.logfile.as_deref().map(open_log).transpose()?,
            parallel,
        })
    }

    /// The platforms that are built for; one is this machine's where none is named.
    pub fn platforms(&self) -> Result<Vec<Wanted>> {
        if self.platform.len() > 1 && self.manifest.is_none() {
            return Err(Error::invalid("cannot build for several platforms at once")
                .because("there is no name for the list of their images")
                .hint("add --manifest NAME"));
        }
        match self.platform.as_slice() {
            [] => Ok(vec![Wanted::default()]),
            all => all.iter().map(|text| Wanted::parse(text)).collect(),
        }
    }

    /// The variables of `--env`.
    pub fn env_pairs(&self) -> Vec<(String, String)> {
        let pair = |text: &String| match text.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Environment::text(text).map(|value| (text.clone(), value)),
        };
        self.env.iter().filter_map(pair).collect()
    }

    /// What happens to the files' times, and the image's own.
    fn times(&self) -> Result<(Times, Option<i64>)> {
        times(self.timestamp, self.source_date_epoch, self.rewrite_timestamp)
    }
}

/// The build arguments of files, and those of flags, which count more.
pub fn arguments(files: &[PathBuf], flags: &[String]) -> Result<BTreeMap<String, String>> {
    let mut arguments = BTreeMap::new();
    for path in files {
        let text =
            std::fs::read_to_string(path).map_err(|cause| crate::build::cannot("read", path, cause))?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            argument(line, &mut arguments)?;
        }
    }
    for text in flags {
        argument(text, &mut arguments)?;
    }
    Ok(arguments)
}

/// The arguments that are always there before the first `FROM`.
pub fn platforms_of(wanted: &Wanted, target: Option<&str>) -> BTreeMap<String, String> {
    let mut platform = BTreeMap::new();
    let here = Wanted::default();
    for (side, wanted) in [("TARGET", wanted), ("BUILD", &here)] {
        let os = wanted.os.as_deref().unwrap_or("linux");
        let arch = wanted.arch.as_deref().unwrap_or(host_architecture());
        let variant = wanted.variant.as_deref().unwrap_or_default();
        let whole = [os, arch, variant].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
        for (part, value) in
            [("PLATFORM", whole.join("/").as_str()), ("OS", os), ("ARCH", arch), ("VARIANT", variant)]
        {
            platform.insert(format!("{side}{part}"), value.to_owned());
        }
    }
    platform.insert("TARGETSTAGE".to_owned(), target.unwrap_or("default").to_owned());
    platform
}

/// Opens the file that what is told goes to.
fn open_log(path: &Path) -> Result<Arc<File>> {
    let file = File::options().create(true).append(true).open(path);
    file.map(Arc::new).map_err(|cause| crate::build::cannot("write", path, cause))
}

/// Takes `NAME=value`, or `NAME` with its value from our environment; one that is not set here is not given.
fn argument(text: &str, into: &mut BTreeMap<String, String>) -> Result<()> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, Environment::text(text)),
    };
    if name.is_empty() {
        return Err(Error::invalid(format!("cannot use the build argument `{text}`"))
            .because("it has no name")
            .hint("write it as --build-arg NAME=VALUE"));
    }
    into.extend(value.map(|value| (name.to_owned(), value)));
    Ok(())
}
