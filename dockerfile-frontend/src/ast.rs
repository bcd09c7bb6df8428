//! The typed instructions. Variables in them are not expanded yet: every text is as it was written.
//!
//! As JSON (`serde`) this is the stable form of `kiln dockerfile dump --format json`: an object with `directives` and
//! `instructions`; each instruction has `instruction` (the name in capitals), `span` (`first` and `last` line) and the
//! fields of its struct here. Fields that are absent were not written. New fields may come, old ones stay.

mod files;
mod keyword;
mod run;

use serde::Serialize;

use crate::source::{Directives, Span};

pub use files::{Add, Copy, CopySource};
pub use keyword::Keyword;
pub use run::{Device, Mount, MountKind, MountOption, MountText, NetworkMode, Run, Security, Sharing};

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dockerfile {
    /// What its top orders.
    pub directives: Directives,
    /// The instructions, in order. Those before the first `FROM` are all `ARG`.
    pub instructions: Vec<Instruction>,
}

/// One instruction and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// The lines it stands on.
    pub span: Span,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "instruction", rename_all = "UPPERCASE")]
pub enum Body {
    /// `ADD`
    Add(Add),
    /// `ARG`
    Arg(Arg),
    /// `CMD`
    Cmd(Command),
    /// `COPY`
    Copy(Copy),
    /// `ENTRYPOINT`
    Entrypoint(Command),
    /// `ENV`
    Env(Pairs),
    /// `EXPOSE`
    Expose(Expose),
    /// `FROM`
    From(From),
    /// `HEALTHCHECK`
    Healthcheck(Healthcheck),
    /// `LABEL`
    Label(Pairs),
    /// `MAINTAINER`
    Maintainer(Value),
    /// `ONBUILD`
    Onbuild(Onbuild),
    /// `RUN`
    Run(Run),
    /// `SHELL`
    Shell(Shell),
    /// `STOPSIGNAL`
    StopSignal(Value),
    /// `USER`
    User(Value),
    /// `VOLUME`
    Volume(Volume),
    /// `WORKDIR`
    Workdir(Value),
}

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandLine {
    /// A line for the shell that `SHELL` names.
    Shell(String),
    /// The arguments themselves, written as a JSON array; may be empty, which takes away what the base has.
    Exec(Vec<String>),
}

/// `CMD` and `ENTRYPOINT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command {
    /// The program.
    pub command: CommandLine,
}

/// `FROM image [AS name]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct From {
    /// An image, `scratch` or an earlier stage.
    pub image: String,
    /// The stage's name in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `--platform`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

/// The pairs of `ENV` and `LABEL`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// In order.
    pub pairs: Vec<Pair>,
}

/// One name with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value; may be empty.
    pub value: String,
    /// Written with a blank and not with `=`: all of the line is the value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub old_form: bool,
}

/// `ARG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arg {
    /// What it declares, in order.
    pub arguments: Vec<Argument>,
}

/// One build argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What it is where the user gives nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// `EXPOSE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expose {
    /// Such as `80`, `53/udp`, `8000-8010`.
    pub ports: Vec<String>,
}

/// `VOLUME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Paths, none empty.
    pub paths: Vec<String>,
}

/// Instructions that have one value: `USER`, `WORKDIR`, `STOPSIGNAL`, `MAINTAINER`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// All that stands behind the name.
    pub value: String,
}

/// `SHELL`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shell {
    /// The shell and its arguments, at least one item.
    pub shell: Vec<String>,
}

/// `ONBUILD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Onbuild {
    /// The instruction, never `FROM`, `MAINTAINER` or `ONBUILD`.
    pub trigger: Box<Body>,
    /// The instruction as the image's config holds it: its text, with heredocs.
    pub text: String,
}

/// `HEALTHCHECK`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// The test; none for `HEALTHCHECK NONE`, which switches the base's off.
    pub command: Option<CommandLine>,
    /// `--interval` in nanoseconds; zero is the runtime's default.
    pub interval: u64,
    /// `--timeout` in nanoseconds.
    pub timeout: u64,
    /// `--start-period` in nanoseconds.
    pub start_period: u64,
    /// `--start-interval` in nanoseconds.
    pub start_interval: u64,
    /// `--retries`; zero is the runtime's default.
    pub retries: u32,
}
