//! The names that Go templates know: `.OCIv1.Config.Env` for `config.Env`. In Go these are fields of structs, and none
//! is ever missing; what JSON shows stays as it was.

use serde_json::{Map, Value, json};

use crate::ui::template;

mod go;

use go::{duration, print, time};

/// A description as templates see it.
pub(super) fn for_template(shown: &Value) -> Value {
    let mut named = shown.clone();
    add_image(&mut named["OCIv1"], false);
    add_image(&mut named["Docker"], true);
    history(&mut named["History"], false);
    for options in named["NamespaceOptions"].as_array_mut().into_iter().flatten() {
        print(options, &["Name", "Host", "Path"]);
    }
    for list in ["Capabilities", "Devices"] {
        if named[list].is_null() {
            named[list] = json!([]);
        }
    }
    let ids = &mut named["IDMappingOptions"];
    for list in ["AdditionalUIDMappings", "AdditionalGIDMappings"] {
        ids["AutoUserNsOpts"][list] = json!([]);
    }
    print(&mut ids["AutoUserNsOpts"], &go::AUTO_IDS);
    print(ids, &go::IDS);
    print(&mut named, &go::INFO);
    named
}

/// An image's config as templates see it.
pub(in crate::commands) fn of_image(config: &Value) -> Value {
    let mut named = config.clone();
    // Go has them whether or not they are written.
    for part in ["config", "rootfs"] {
        if !named[part].is_object() {
            named[part] = json!({});
        }
    }
    add_image(&mut named, false);
    named
}

/// A description of Skopeo's as templates see it.
pub(in crate::commands) fn of_inspected(shown: &Value) -> Value {
    let mut named = shown.clone();
    time(&mut named["Created"]);
    add(&mut named, &["Name", "Variant"], "".into());
    add(&mut named, &["Labels"], json!({}));
    add(&mut named, &["Env"], json!([]));
    for layer in named["LayersData"].as_array_mut().into_iter().flatten() {
        add(layer, &["Annotations"], json!({}));
    }
    named
}

/// The fields of how a container runs, in the order in which Docker has them.
pub(super) fn in_dockers_order(fields: &mut Map<String, Value>) {
    let place = |name: &str| go::DOCKER_CONFIG.iter().position(|known| *known == name);
    let mut sorted: Vec<_> = std::mem::take(fields).into_iter().collect();
    sorted.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
    fields.extend(sorted);
}

fn add_image(whole: &mut Value, is_docker: bool) {
    add(whole, &["Author", "Created", "Architecture", "OS", "Variant", "OSVersion", "Comment"], "".into());
    add(whole, &["OSFeatures", "History"], json!([]));
    add(&mut whole["RootFS"], &["Type", "DiffIDs"], json!([]));
    print(&mut whole["RootFS"], &["Type", "DiffIDs"]);
    add_config(&mut whole["Config"], is_docker);
    history(&mut whole["History"], is_docker);
    time(&mut whole["Created"]);
    if is_docker {
        add(whole, &["ID", "Parent", "DockerVersion", "Container"], "".into());
        add(whole, &["Size"], 0.into());
        add_config(&mut whole["ContainerConfig"], true);
        print(whole, &go::DOCKER_IMAGE);
    } else {
        print(whole, &go::IMAGE);
    }
}

/// How a container runs.
fn add_config(config: &mut Value, is_docker: bool) {
    let words = ["User", "WorkingDir", "StopSignal", "Hostname", "Domainname", "Image", "MacAddress"];
    add(config, &words, "".into());
    add(config, &["Env", "Cmd", "Entrypoint", "OnBuild", "Shell"], json!([]));
    add(config, &["Labels", "Volumes", "ExposedPorts"], json!({}));
    add(config, &["Healthcheck", "StopTimeout"], Value::Null);
    let switches = ["AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"];
    add(config, &switches, false.into());
    add(config, &["ArgsEscaped", "NetworkDisabled"], false.into());
    let health = &mut config["Healthcheck"];
    if health.is_object() {
        add(health, &["Test"], json!([]));
        add(health, &["Interval", "Timeout", "StartPeriod", "Retries"], 0.into());
        for field in ["Interval", "Timeout", "StartPeriod"] {
            duration(&mut health[field]);
        }
        print(health, &["Test", "Interval", "Timeout", "StartPeriod", "Retries"]);
    }
    print(config, if is_docker { &go::DOCKER_CONFIG } else { &go::CONFIG });
}

fn history(entries: &mut Value, is_docker: bool) {
    for entry in entries.as_array_mut().into_iter().flatten() {
        add(entry, &["Created", "CreatedBy", "Author", "Comment"], "".into());
        add(entry, &["EmptyLayer"], false.into());
        time(&mut entry["Created"]);
        let (first, second) = if is_docker { ("Author", "CreatedBy") } else { ("CreatedBy", "Author") };
        print(entry, &["Created", first, second, "Comment", "EmptyLayer"]);
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
