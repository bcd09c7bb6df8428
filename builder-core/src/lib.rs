//! Kiln's library: named working containers over copy-on-write layers, and the images made from them.
//!
//! The modules are private; what is re-exported here is the whole public API. Inside the crate a module uses only
//! those to its left: `sys · error event settings · oci name · tree · layer · host · store · auth · builder · rootfs ·
//! transport · sandbox · steps · verbs`. The library never prints, never reads the environment or the home directory,
//! and starts no thread before namespaces are set up.

mod auth;
mod builder;
mod error;
mod event;
mod host;
mod layer;
mod name;
mod oci;
mod rootfs;
mod sandbox;
mod settings;
mod steps;
mod store;
mod sys;
#[cfg(test)]
mod testing;
mod transport;
mod tree;
mod verbs;

pub use auth::{BearerToken, Credentials};
pub use builder::{Builder, Scratch};
pub use error::{Error, Kind, Result};
pub use event::{Event, Fate, Reporter, Silent};
pub use host::{AutoIds, Host, IdMaps, IdRange, name_refused_call};
pub use layer::{Compression, Times};
pub use name::{DaemonImage, Location, Pick, Reference, StorageSpec};
pub use oci::{
    ConfigEdit, ContainerDefaults, Descriptor, Digest, Draft, Format, Healthcheck, History, ImageConfig,
    Index, Manifest, Platform, RootFs, Wanted, host_architecture,
};
pub use sandbox::{Exit, Network, Resources, Space, default_capabilities, enter_for_commands, usual_runtime};
pub use settings::{DaemonSettings, Driver, IdPool, MachineStorage, Proxies, RegistrySettings, Settings};
pub use steps::{
    Config, Copy, CopyFrom, CopySummary, Device, Dns, Fetch, HostAddress, HostEntry, HostName, Isolation,
    Limit, MountKind, MountOptions, Run, RunMount, RunSettings, Seccomp, Secret, SecretValue, Security,
    Sharing, Shown, Spaces, SshAgent, Unpack, Uplink, Uplinks, UserSpace, Volume, is_git, is_remote,
    parse_size, unpack_archive,
};
pub use store::{CheckOptions, CheckReport, Finding, Forgotten, Keep, Reclaimed, Usage};
pub use transport::http::Tls;
pub use transport::{Access, Retry, Which};
pub use tree::Ignored;
pub use verbs::check::check;
pub use verbs::commit::{Commit, Committed};
pub use verbs::containers::{
    ContainerDetails, ContainerInfo, Containers, Rename, Rm, containers, inspect_container,
};
pub use verbs::copy_image::{CopiedImage, CopyImage, Layers, Surroundings};
pub use verbs::diff::{Change, Diff, Difference};
pub use verbs::doctor::{Check, State as CheckState, doctor};
pub use verbs::du::du;
pub use verbs::export::{Export, ExportTo};
pub use verbs::fork::Fork;
pub use verbs::from::{From, Made};
pub use verbs::history::{HistoryLine, history};
pub use verbs::images::{
    ImageDetails, ImageInfo, Images, Prune, Pruned, Removed, Rmi, Tag, images, inspect_image,
};
pub use verbs::in_memory::in_memory;
pub use verbs::info::{Info, info};
pub use verbs::load::{Load, LoadFrom, Loaded};
pub use verbs::log::{Log, LogLine, Reasons, Why};
pub use verbs::login::{LogIn, LogOut, LoggedIn};
pub use verbs::look::{Look, Looked, tags};
pub use verbs::manifest::{
    Added, Artifact, ChangedList, EntryEdit, Existing, ManifestAdd, ManifestAnnotate, ManifestCreate,
    ManifestPush, ManifestRemove, inspect_manifest, manifest_exists, remove_list,
};
pub use verbs::mount::{Mount, Mounted, Umount, begin_session};
pub use verbs::pull::{Policy, Pull, Pulled};
pub use verbs::push::Push;
pub use verbs::remote::Remote;
pub use verbs::save::{Save, SaveForm};
pub use verbs::shell::{Moment, Shell};
pub use verbs::source::SourceImage;
pub use verbs::standalone::{StandaloneVerify, Verified};
pub use verbs::step_cache::StepCache;
pub use verbs::r#try::Try;
pub use verbs::undo::Undo;
