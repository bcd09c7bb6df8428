//! Devices by the names that vendors give them, `vendor.com/class=name`: what a description says they need.
//!
//! Format: the Container Device Interface, JSON or YAML. A description is the machine's own, but bounded all the same.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Context, Error, Kind, Result};
use crate::sandbox::DeviceNode;
use crate::steps::run::device::Device;
use crate::tree::Root;

/// Where descriptions are unless the machine says otherwise; of two of a kind the later counts.
const USUAL: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// The descriptions of a machine with many devices have a few hundred KiB.
const MAX_BYTES: u64 = 4 << 20;

/// What devices need.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Nodes.
    pub nodes: Vec<DeviceNode>,
    /// Files and directories of the host, in the words of `-v`.
    pub volumes: Vec<String>,
    /// Programs of the host that a runtime starts: the stage, and the hook as a runtime takes it.
    pub hooks: Vec<(String, Value)>,
}

/// One file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    kind: String,
    #[serde(default)]
    devices: Vec<Named>,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    name: String,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Edits {
    env: Vec<String>,
    device_nodes: Vec<Node>,
    mounts: Vec<Mounted>,
    hooks: Vec<Hook>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hook {
    hook_name: String,
    path: PathBuf,
    args: Option<Vec<String>>,
    env: Option<Vec<String>>,
    timeout: Option<i64>,
}

impl Hook {
    /// As the OCI runtime specification has it.
    fn value(&self) -> Value {
        let mut value = json!({ "path": self.path });
        let fields = [
            ("args", self.args.as_ref().map(|args| json!(args))),
            ("env", self.env.as_ref().map(|env| json!(env))),
            ("timeout", self.timeout.map(Value::from)),
        ];
        for (name, field) in fields {
            if let Some(field) = field {
                value[name] = field;
            }
        }
        value
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    path: PathBuf,
    host_path: Option<PathBuf>,
    permissions: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mounted {
    host_path: PathBuf,
    container_path: PathBuf,
    #[serde(default)]
    options: Vec<String>,
}

/// What the device of this name needs.
pub(super) fn needs(name: &str, dirs: &[PathBuf]) -> Result<Needs> {
    let unknown = || Error::new(Kind::NotFound, format!("cannot find the device `{name}`"));
    let (kind, device) = name.split_once('=').ok_or_else(unknown)?;
    let usual: Vec<PathBuf> = USUAL.iter().map(PathBuf::from).collect();
    let dirs = if dirs.is_empty() { &usual } else { dirs };
    let mut passed_over = None;
    for path in dirs.iter().rev().flat_map(|dir| files(dir)) {
        let found = match read(&path) {
            Ok(found) => found,
            Err(error) => {
                passed_over.get_or_insert(format!("{error:?}"));
                continue;
            }
        };
        if found.kind == kind
            && let Some(named) = found.devices.iter().find(|named| named.name == device)
        {
            let mut needs = Needs::default();
            for edits in [&found.container_edits, &named.container_edits] {
                edits.add(&mut needs)?;
            }
            return Ok(needs);
        }
    }
    let places: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let because = passed_over.unwrap_or_else(|| format!("no description in {} has it", places.join(", ")));
    Err(unknown().because(because).hint(format!("put a description of `{kind}` into {}", places[0])))
}

/// The descriptions in a directory, by name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|item| item.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json" || end == "yaml"));
    paths.sort();
    paths
}

fn read(path: &Path) -> Result<Description> {
    let show = path.display();
    let whole = fs::canonicalize(path).cannot("read", &show)?;
    let bytes = Root::open_host(Path::new("/"))
        .and_then(|root| root.read(&whole, MAX_BYTES))
        .cannot("read", &show)?;
    let fault = || Error::corrupt(format!("cannot read `{show}`"));
    match path.extension().is_some_and(|end| end == "json") {
        true => serde_json::from_slice(&bytes).map_err(|cause| fault().because(cause)),
        false => serde_yaml_ng::from_slice(&bytes).map_err(|cause| fault().because(cause)),
    }
}

impl Edits {
    fn add(&self, needs: &mut Needs) -> Result<()> {
        needs.hooks.extend(self.hooks.iter().map(|hook| (hook.hook_name.clone(), hook.value())));
        for entry in &self.env {
            let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
            needs.env.push((key.to_owned(), value.to_owned()));
        }
        for node in &self.device_nodes {
            let device = Device {
                source: node.host_path.clone().unwrap_or_else(|| node.path.clone()),
                target: node.path.clone(),
                access: node.permissions.clone().unwrap_or_else(|| "rwm".to_owned()),
            };
            needs.nodes.extend(device.nodes()?);
        }
        for mount in &self.mounts {
            let escape = |path: &Path| path.display().to_string().replace(':', "\\:");
            let (host, container) = (escape(&mount.host_path), escape(&mount.container_path));
            needs.volumes.push(format!("{host}:{container}:{}", mount.options.join(",")));
        }
        Ok(())
    }
}
