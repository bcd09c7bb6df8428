//! The image config: the OCI image specification's, with Docker's fields, and unknown fields kept as they came.
//!
//! Own structs and not `oci-spec`'s: that one drops `Healthcheck`, `Shell`, `OnBuild` and whatever it does not know,
//! and holds labels in a map of random order, which would make the digest random.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oci::{Digest, Wanted};

/// A set as JSON has it in `ExposedPorts` and `Volumes`: an object with empty objects.
pub type NameSet = BTreeMap<String, BTreeMap<String, Value>>;

/// A whole image config. Its digest is the image id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// The processor, in Go's names (`amd64`, `arm64` …).
    #[serde(default)]
    pub architecture: String,
    /// The variant of the processor (`v8` …).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The operating system, in Go's names.
    #[serde(default)]
    pub os: String,
    /// The version of the operating system (Windows).
    #[serde(default, rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Features of the operating system that the image needs.
    #[serde(
        default,
        rename = "os.features",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "nullable"
    )]
    pub os_features: Vec<String>,
    /// How a container of this image runs.
    #[serde(default, deserialize_with = "nullable")]
    pub config: ContainerDefaults,
    /// The layers, by the digests of their uncompressed tars.
    pub rootfs: RootFs,
    /// What made each layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub history: Vec<History>,
    /// What other builders wrote and this one does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// The part of the config that says how a container runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerDefaults {
    /// Host name (Docker's).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// Domain name (Docker's).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domainname: String,
    /// User and group, by name or number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports, `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub exposed_ports: NameSet,
    /// Environment, `NAME=value`, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The default arguments, or the default program where there is no entrypoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Health check (Docker's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Directories that are volumes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub volumes: NameSet,
    /// The directory commands start in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Instructions for a build on top of this image (Docker's).
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub on_build: Vec<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks the container to stop.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// The shell for shell-form commands (Docker's).
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub shell: Vec<String>,
    /// What other builders wrote and this one does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// Docker's health check. Durations are nanoseconds; 0 means "as the runtime's default".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", "…"]`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub test: Vec<String>,
    /// Time between checks.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// How long one check may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Time in which failures do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Time between checks during the start period.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digests of the uncompressed tars, the lowest first.
    #[serde(default, deserialize_with = "nullable")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        RootFs { kind: "layers".into(), diff_ids: Vec::new() }
    }
}

/// One line of an image's history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command that made the layer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// Who.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// A remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether no layer belongs to this line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Whether it is an image for this platform.
    #[must_use]
    pub fn is_for(&self, platform: &Wanted) -> bool {
        self.os == platform.os()
            && self.architecture == platform.arch()
            && platform.variant.as_ref().is_none_or(|variant| *variant == self.variant)
    }

    /// The config of an image from nothing, for the machine this runs on.
    #[must_use]
    pub fn scratch() -> Self {
        ImageConfig { architecture: host_architecture().into(), os: "linux".into(), ..ImageConfig::default() }
    }

    /// The bytes that are stored and digested: compact JSON in the order of the fields here.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a config has only string keys")
    }

    /// The value of an environment variable.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&str> {
        self.config.env.iter().rev().find_map(|entry| {
            let (key, value) = entry.split_once('=')?;
            (key == name).then_some(value)
        })
    }
}

/// This machine's processor in Go's names, which the OCI specification uses.
#[must_use]
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        other => other,
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Other builders write `null` where they mean "empty".
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
