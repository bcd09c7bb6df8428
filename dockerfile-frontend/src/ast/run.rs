//! `RUN` and what its flags say.

use serde::Serialize;

use super::CommandLine;
use crate::lexer::Heredoc;

/// `RUN`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The command. With heredocs it still has their `<<NAME`.
    pub command: CommandLine,
    /// In the order in which they open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, any number
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<MountText>,
    /// `--network`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkMode>,
    /// `--security`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    /// `--device`, any number
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// `--network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// What the build was given.
    Default,
    /// Loopback only.
    None,
    /// The host's own.
    Host,
}

/// `--security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// As usual.
    Sandbox,
    /// With all privileges, where the user allows it.
    Insecure,
}

/// `--device`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The device's name in CDI form, such as `vendor.com/class=name`.
    pub name: String,
    /// Whether the build fails where there is no such device.
    pub required: bool,
}

/// `--mount` as written: values may hold variables, so [`MountText::resolve`] makes a [`Mount`] of it when they are
/// known. Where there are no variables, the parser has done that once and reported what was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MountText {
    /// All of it.
    pub text: String,
    /// The options in order.
    pub options: Vec<MountOption>,
}

/// One option of a mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MountOption {
    /// In lower case, and always the same name where there are several: `source`, `target`, `readonly`, `readwrite`.
    pub name: String,
    /// Nothing for an option that is only a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MountKind {
    /// Files of the context, a stage or an image.
    #[default]
    Bind,
    /// A directory that lives on from build to build.
    Cache,
    /// An empty directory in memory.
    Tmpfs,
    /// A file, or variable, that never comes into the image.
    Secret,
    /// The socket of an SSH agent.
    Ssh,
}

/// Who else may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// Nobody: another writer gets a cache of its own.
    Private,
    /// Nobody: another writer waits.
    Locked,
}

/// A mount whose variables are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mount {
    /// `type`
    pub kind: MountKind,
    /// `from`: a stage, a build context or an image.
    pub from: Option<String>,
    /// `source`
    pub source: Option<String>,
    /// `target`
    pub target: Option<String>,
    /// `id`
    pub id: Option<String>,
    /// `env`: the variable that holds a secret.
    pub env: Option<String>,
    /// `readonly`, or what is usual: caches and tmpfs can be written, all others not.
    pub readonly: bool,
    /// `sharing`
    pub sharing: Sharing,
    /// `required`
    pub required: bool,
    /// `size` of a tmpfs, in bytes.
    pub size: Option<u64>,
    /// `mode` of the file or directory.
    pub mode: Option<u32>,
    /// `uid` that owns it.
    pub uid: Option<u32>,
    /// `gid` that owns it.
    pub gid: Option<u32>,
}
