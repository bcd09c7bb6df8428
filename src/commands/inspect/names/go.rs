//! The text that Go prints of the structs that Buildah's templates see, of its times and of its durations.

use serde_json::{Map, Value};

use crate::ui::template::{PLAIN, SHOWN};

/// The fields of an image's config, in Go's order.
pub(super) const IMAGE: [&str; 10] = [
    "Created",
    "Author",
    "Architecture",
    "Variant",
    "OS",
    "OSVersion",
    "OSFeatures",
    "Config",
    "RootFS",
    "History",
];
/// How a container of it runs.
pub(super) const CONFIG: [&str; 10] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "ArgsEscaped",
];
/// The same as Docker has it.
pub(super) const DOCKER_IMAGE: [&str; 15] = [
    "ID",
    "Parent",
    "Comment",
    "Created",
    "Container",
    "ContainerConfig",
    "DockerVersion",
    "Author",
    "Config",
    "Architecture",
    "Variant",
    "OS",
    "Size",
    "RootFS",
    "History",
];
/// How a container runs, as Docker has it.
pub(super) const DOCKER_CONFIG: [&str; 25] = [
    "Hostname",
    "Domainname",
    "User",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "ExposedPorts",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "Env",
    "Cmd",
    "Healthcheck",
    "ArgsEscaped",
    "Image",
    "Volumes",
    "WorkingDir",
    "Entrypoint",
    "NetworkDisabled",
    "MacAddress",
    "OnBuild",
    "Labels",
    "StopSignal",
    "StopTimeout",
    "Shell",
];
/// Which ids a container has.
pub(super) const IDS: [&str; 6] =
    ["HostUIDMapping", "HostGIDMapping", "UIDMap", "GIDMap", "AutoUserNs", "AutoUserNsOpts"];
/// Which ids are chosen for it.
pub(super) const AUTO_IDS: [&str; 6] =
    ["Size", "InitialSize", "PasswdFile", "GroupFile", "AdditionalUIDMappings", "AdditionalGIDMappings"];
/// All that is told.
pub(super) const INFO: [&str; 25] = [
    "Type",
    "FromImage",
    "FromImageID",
    "FromImageDigest",
    "Config",
    "Manifest",
    "Container",
    "ContainerID",
    "MountPoint",
    "ProcessLabel",
    "MountLabel",
    "ImageAnnotations",
    "ImageCreatedBy",
    "OCIv1",
    "Docker",
    "DefaultMountsFilePath",
    "Isolation",
    "NamespaceOptions",
    "Capabilities",
    "ConfigureNetwork",
    "CNIPluginPath",
    "CNIConfigDir",
    "IDMappingOptions",
    "History",
    "Devices",
];

/// Gives an object the text of a struct with these fields.
pub(super) fn print(object: &mut Value, fields: &[&str]) {
    let Some(object) = object.as_object_mut() else { return };
    let shown: Vec<String> =
        fields.iter().map(|name| text(object.get(*name).unwrap_or(&Value::Null))).collect();
    object.insert(SHOWN.into(), format!("{{{}}}", shown.join(" ")).into());
}

/// Makes a time of its text, as JSON has it: shown as Go prints it.
pub(super) fn time(value: &mut Value) {
    let Some(written) = value.as_str().filter(|text| !text.is_empty()) else { return };
    let Some((date, clock)) = written.split_once('T') else { return };
    let (clock, zone) = match clock.find(['Z', '+', '-']) {
        Some(at) => clock.split_at(at),
        None => return,
    };
    let clock = match clock.split_once('.') {
        Some((whole, part)) => format!("{whole}.{}", part.trim_end_matches('0')),
        None => clock.to_owned(),
    };
    let zone = match zone {
        "Z" => "+0000 UTC".to_owned(),
        offset => {
            let offset = offset.replace(':', "");
            format!("{offset} {offset}")
        }
    };
    let shown = format!("{date} {} {zone}", clock.trim_end_matches('.'));
    with_text(value, shown);
}

/// Makes a duration of its nanoseconds: shown as Go prints it.
pub(super) fn duration(value: &mut Value) {
    let nanoseconds = value.as_i64().unwrap_or_default();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let left = nanoseconds.unsigned_abs();
    let part = |of: u64, unit: u64| {
        let digits = unit.ilog10() as usize;
        let text = format!("{}.{:0digits$}", of / unit, of % unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    const SECOND: u64 = 1_000_000_000;
    let (hours, minutes, seconds) = (left / SECOND / 3600, left / SECOND / 60 % 60, left % (60 * SECOND));
    let shown = match left {
        0 => "0s".to_owned(),
        1..1_000 => format!("{left}ns"),
        1_000..1_000_000 => format!("{}\u{b5}s", part(left, 1_000)),
        1_000_000..SECOND => format!("{}ms", part(left, 1_000_000)),
        _ if hours > 0 => format!("{hours}h{minutes}m{}s", part(seconds, SECOND)),
        _ if minutes > 0 => format!("{minutes}m{}s", part(seconds, SECOND)),
        _ => format!("{}s", part(seconds, SECOND)),
    };
    with_text(value, format!("{sign}{shown}"));
}

fn with_text(value: &mut Value, shown: String) {
    let fields = [(PLAIN.to_owned(), value.take()), (SHOWN.to_owned(), shown.into())];
    *value = Value::Object(fields.into_iter().collect::<Map<String, Value>>());
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => match fields.get(SHOWN) {
            Some(shown) => text(shown),
            None => {
                let field = |(name, value): (&String, &Value)| match value {
                    Value::Object(nothing) if nothing.is_empty() => format!("{name}:{{}}"),
                    value => format!("{name}:{}", text(value)),
                };
                format!("map[{}]", fields.iter().map(field).collect::<Vec<_>>().join(" "))
            }
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
