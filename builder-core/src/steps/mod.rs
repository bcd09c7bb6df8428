//! The verbs that change a container, each a plain value that is written down, printed and then performed.

pub(crate) mod add;
pub(crate) mod config;
pub(crate) mod container;
pub(crate) mod content;
pub(crate) mod copy;
mod explain;
pub(crate) mod hand;
pub(crate) mod history;
mod key;
pub(crate) mod run;
mod shown;
mod sources;
pub(crate) mod timeline;

pub use add::{Fetch, Unpack, is_git, is_remote, unpack_archive};
pub use config::Config;
pub use copy::{Copy, CopyFrom, CopySummary};
pub use run::{
    Device, Dns, HostAddress, HostEntry, HostName, Isolation, Limit, MountKind, MountOptions, Run, RunMount,
    RunSettings, Seccomp, Secret, SecretValue, Security, Sharing, Spaces, SshAgent, Uplink, Uplinks,
    UserSpace, Volume, parse_size,
};
pub use shown::Shown;
