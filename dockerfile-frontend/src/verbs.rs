//! What the front end can have done: the verbs of a working container, as plain values behind one trait.
//!
//! This is all the front end knows of containers. Whoever builds performs the values; a script writes them down.

use std::collections::BTreeMap;

use crate::ast::{NetworkMode, Security};
use crate::source::Span;

/// Performs verbs. Stages are built side by side: every method is called from any thread.
pub trait Verbs: Sync {
    /// Why a verb failed.
    type Error: Send;

    /// Makes a working container for `stage` and says what its image's config has.
    fn begin(&self, stage: &StageName, base: &Base) -> Result<Begun, Self::Error>;

    /// Performs one step on a container and gives the container to go on with, which may be another.
    fn perform(&self, container: &str, step: &Step) -> Result<String, Self::Error>;

    /// All steps of a stage are performed.
    fn end(&self, stage: &StageName) {
        let _ = stage;
    }
}

/// Which stage something is about, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageName {
    /// Its place in the file, from 0.
    pub index: usize,
    /// What `AS` calls it.
    pub name: Option<String>,
    /// Its place among the stages that are built, from 1.
    pub number: usize,
    /// How many stages are built.
    pub of: usize,
    /// How many instructions it has, `FROM` included.
    pub steps: usize,
    /// Its `FROM`, as written.
    pub text: String,
}

/// What a stage is built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An image, by name, for a platform if one is said.
    Image {
        /// By name.
        name: String,
        /// `--platform`
        platform: Option<String>,
    },
    /// The container of an earlier stage, as it is at its end.
    Container(String),
}

/// A container that was made, and the part of its image's config that instructions build on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Begun {
    /// The container, by a name that [`Verbs::perform`] takes.
    pub container: String,
    /// The environment, in order.
    pub env: Vec<(String, String)>,
    /// The working directory; may be empty.
    pub workdir: String,
    /// The user; empty for root.
    pub user: String,
    /// The shell of shell forms; empty for `/bin/sh -c`.
    pub shell: Vec<String>,
    /// The instructions that the image has for builds on it.
    pub on_build: Vec<String>,
}

/// One instruction as verbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The stage it belongs to.
    pub stage: StageName,
    /// Its place in the stage, from 2: `FROM` is 1.
    pub number: usize,
    /// Whether it is the last of the stage.
    pub last: bool,
    /// The lines it stands on.
    pub span: Span,
    /// The instruction in one line.
    pub text: String,
    /// What is done, in order.
    pub verbs: Vec<Verb>,
    /// What the image's history says of it; of a copy the verb knows better.
    pub history: String,
}

/// One verb with all it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Run a command.
    Run(Run),
    /// Copy files.
    Copy(Copy),
    /// Make a directory and those above it, if they are not there.
    MakeDirectory {
        /// Its absolute path.
        path: String,
        /// `user[:group]` that what is made belongs to; root if empty.
        owner: String,
    },
    /// Change what the image says of itself.
    Config(Vec<Edit>),
}

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// A script that is run in place of them, by what its first line says.
    pub script: Option<String>,
    /// The arguments of the build that it sees as variables.
    pub env: Vec<(String, String)>,
    /// The host's name that it sees; none for the usual one.
    pub hostname: Option<String>,
    /// Mounts: the options as written, variables put in, and where files come from.
    pub mounts: Vec<(String, Origin)>,
    /// `--network`
    pub network: Option<NetworkMode>,
    /// `--security`
    pub security: Option<Security>,
    /// `--device`, with whether each is required.
    pub devices: Vec<(String, bool)>,
}

/// Where files come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// The build context.
    #[default]
    Context,
    /// A build context with a name, or else an image.
    Named(String),
    /// The container of another stage.
    Container(String),
}

/// A copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copy {
    /// `ADD`: archives are unpacked, addresses fetched.
    pub add: bool,
    /// Where the sources are.
    pub origin: Origin,
    /// Paths and patterns; of `ADD` also addresses.
    pub sources: Vec<String>,
    /// Files that the Dockerfile itself holds, by name.
    pub inline: BTreeMap<String, String>,
    /// Where to.
    pub destination: String,
    /// `--chown`
    pub chown: Option<String>,
    /// `--chmod`
    pub chmod: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude`
    pub exclude: Vec<String>,
    /// `--checksum`
    pub checksum: Option<String>,
    /// `--keep-git-dir`
    pub keep_git_dir: bool,
    /// `--unpack`, where it is said.
    pub unpack: Option<bool>,
}

/// One change of what an image says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Sets a variable.
    Env(String, String),
    /// Sets a label.
    Label(String, String),
    /// Sets the default command, or takes it away.
    Cmd(Option<Vec<String>>),
    /// Sets the program, or takes it away.
    Entrypoint(Option<Vec<String>>),
    /// Adds a port: `80/tcp`.
    Port(String),
    /// Adds a volume.
    Volume(String),
    /// Sets the user.
    User(String),
    /// Sets the working directory, an absolute path.
    Workdir(String),
    /// Sets the signal.
    StopSignal(String),
    /// Sets the shell.
    Shell(Vec<String>),
    /// Sets the health check.
    Healthcheck(Healthcheck),
    /// Adds an instruction for builds on this image.
    OnBuild(String),
    /// Takes away all of those.
    ClearOnBuild,
    /// Sets the author.
    Author(String),
}

/// A health check; times in nanoseconds, zero where the runtime decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `NONE`, or `CMD` or `CMD-SHELL` and what follows.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: u64,
    /// For one check.
    pub timeout: u64,
    /// In which failures do not count.
    pub start_period: u64,
    /// Between two checks meanwhile.
    pub start_interval: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
}
