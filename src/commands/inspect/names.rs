//! The names that Go templates know: `.OCIv1.Config.Env` for `config.Env`. In Go these are fields of structs, and none
//! is ever missing; what JSON shows stays as it was.

use serde_json::{Value, json};

use crate::ui::template;

/// A description as templates see it.
pub(super) fn for_template(shown: &Value) -> Value {
    let mut named = shown.clone();
    for part in ["OCIv1", "Docker"] {
        let whole = &mut named[part];
        add(
            whole,
            &["Author", "Created", "Architecture", "OS", "Variant", "OSVersion", "Comment"],
            "".into(),
        );
        add(whole, &["OSFeatures", "History"], json!([]));
        add(&mut whole["RootFS"], &["Type", "DiffIDs"], json!([]));
        add_config(&mut whole["Config"]);
        history(&mut whole["History"]);
        if part == "Docker" {
            add(whole, &["ID", "Parent", "DockerVersion", "Container"], "".into());
            add_config(&mut whole["ContainerConfig"]);
        }
    }
    history(&mut named["History"]);
    named
}

/// How a container runs.
fn add_config(config: &mut Value) {
    let words = ["User", "WorkingDir", "StopSignal", "Hostname", "Domainname", "Image", "MacAddress"];
    add(config, &words, "".into());
    add(config, &["Env", "Cmd", "Entrypoint", "OnBuild", "Shell"], json!([]));
    add(config, &["Labels", "Volumes", "ExposedPorts"], json!({}));
    add(config, &["Healthcheck", "StopTimeout"], Value::Null);
    let switches = ["AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"];
    add(config, &switches, false.into());
    add(config, &["ArgsEscaped", "NetworkDisabled"], false.into());
}

fn history(entries: &mut Value) {
    for entry in entries.as_array_mut().into_iter().flatten() {
        add(entry, &["Created", "CreatedBy", "Author", "Comment"], "".into());
        add(entry, &["EmptyLayer"], false.into());
    }
}

/// Adds each field of an object under its Go name, and `default` for those of `all` that are not there. A null is what
/// Go has in its place: the same default.
fn add(object: &mut Value, all: &[&str], default: Value) {
    let plain = object.clone();
    let Some(fields) = object.as_object_mut() else { return };
    fields.entry(template::PLAIN).or_insert(plain);
    let named: Vec<(String, Value)> = fields
        .iter()
        .filter(|(name, _)| *name != template::PLAIN)
        .map(|(name, value)| (go_name(name), value.clone()))
        .filter(|(name, _)| !fields.contains_key(name))
        .collect();
    fields.extend(named);
    for name in all {
        let field = fields.entry(*name).or_insert_with(|| default.clone());
        if field.is_null() {
            *field = default.clone();
        }
    }
}

/// `config` → `Config`, `os.version` → `OSVersion`, `rootfs` → `RootFS`.
fn go_name(name: &str) -> String {
    match name {
        "os" => "OS".into(),
        "os.version" => "OSVersion".into(),
        "os.features" => "OSFeatures".into(),
        "rootfs" => "RootFS".into(),
        "container_config" => "ContainerConfig".into(),
        "docker_version" => "DockerVersion".into(),
        "diff_ids" => "DiffIDs".into(),
        "created_by" => "CreatedBy".into(),
        "empty_layer" => "EmptyLayer".into(),
        "id" => "ID".into(),
        _ => {
            let mut letters = name.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    }
}
