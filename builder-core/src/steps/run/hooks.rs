//! Hooks: programs of the host that an OCI runtime runs around a command, by descriptions of the machine.
//!
//! Format: oci-hooks(5), version 1.0.0. Only a runtime has the stages that they belong to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Context, Error, Result};
use crate::tree::Root;

/// Where descriptions are unless the machine says otherwise; of two of a name the later counts.
const USUAL: [&str; 2] = ["/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"];

/// More than any description has.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    version: String,
    hook: Value,
    when: When,
    stages: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct When {
    always: Option<bool>,
    commands: Vec<String>,
    has_bind_mounts: Option<bool>,
    /// Patterns of a name and a value; one of the container's fits each.
    annotations: BTreeMap<String, String>,
}

/// The `hooks` of a bundle for a command, those of its devices first; none where no hook is for it.
pub(super) fn read(
    dirs: &[PathBuf],
    command: &str,
    bound: bool,
    annotations: &[(String, String)],
    of_devices: Vec<(String, Value)>,
) -> Result<Option<Value>> {
    let usual: Vec<PathBuf> = USUAL.iter().map(PathBuf::from).collect();
    let dirs = if dirs.is_empty() { &usual } else { dirs };
    let mut files = BTreeMap::new();
    for item in dirs.iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten()) {
        if item.path().extension().is_some_and(|end| end == "json") {
            files.insert(item.file_name(), item.path());
        }
    }
    let mut hooks = Map::new();
    let mut add = |stage: String, hook: Value| {
        let stage = hooks.entry(stage).or_insert_with(|| Value::Array(Vec::new()));
        stage.as_array_mut().expect("made so").push(hook);
    };
    of_devices.into_iter().for_each(|(stage, hook)| add(stage, hook));
    for path in files.values() {
        let found = parse(path)?;
        if found.when.holds(command, bound, annotations).map_err(|cause| fault(path).because(cause))? {
            found.stages.into_iter().for_each(|stage| add(stage, found.hook.clone()));
        }
    }
    Ok((!hooks.is_empty()).then_some(Value::Object(hooks)))
}

fn parse(path: &Path) -> Result<Description> {
    let whole = fs::canonicalize(path).cannot("read the hook", path.display())?;
    let bytes = Root::open_host(Path::new("/")).and_then(|root| root.read(&whole, MAX_BYTES));
    let bytes = bytes.cannot("read the hook", path.display())?;
    let found: Description = serde_json::from_slice(&bytes).map_err(|cause| fault(path).because(cause))?;
    match found.version.as_str() {
        "1.0.0" => Ok(found),
        other => Err(fault(path).because(format!("its version is `{other}`, and 1.0.0 is known"))),
    }
}

fn fault(path: &Path) -> Error {
    Error::invalid(format!("cannot use the hook `{}`", path.display()))
        .hint("mend or remove it, or leave --runtime away: Kiln itself runs no hooks")
}

impl When {
    /// Whether all that it asks for is so. A hook that asks for nothing never runs.
    fn holds(
        &self,
        command: &str,
        bound: bool,
        annotations: &[(String, String)],
    ) -> Result<bool, regex::Error> {
        let mut asked = false;
        if let Some(always) = self.always {
            asked = true;
            if !always {
                return Ok(false);
            }
        }
        if let Some(wanted) = self.has_bind_mounts {
            asked = true;
            if wanted != bound {
                return Ok(false);
            }
        }
        if !self.commands.is_empty() {
            asked = true;
            let mut fits = false;
            for pattern in &self.commands {
                fits |= regex::Regex::new(pattern)?.is_match(command);
            }
            if !fits {
                return Ok(false);
            }
        }
        for (name, value) in &self.annotations {
            asked = true;
            let (name, value) = (regex::Regex::new(name)?, regex::Regex::new(value)?);
            if !annotations.iter().any(|one| name.is_match(&one.0) && value.is_match(&one.1)) {
                return Ok(false);
            }
        }
        Ok(asked)
    }
}
