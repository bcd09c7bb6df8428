//! Edits of an image's configuration: the `config` verb as a value, to be written down, hashed and applied again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oci::{ContainerDefaults, Healthcheck, ImageConfig};

/// One change of what an image says of itself. Applied in order; the last one wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConfigEdit {
    /// Sets an environment variable; it keeps its place among the others.
    Env(String, String),
    /// Sets an environment variable; `$NAME` and `${NAME}` in the value stand for what the container has there now, and
    /// for the name alone where it has nothing.
    ExpandedEnv(String, String),
    /// Removes an environment variable.
    UnsetEnv(String),
    /// Removes every environment variable.
    ClearEnv,
    /// Sets a label.
    Label(String, String),
    /// Removes a label.
    UnsetLabel(String),
    /// Removes every label.
    ClearLabels,
    /// Sets an annotation of the manifest.
    Annotation(String, String),
    /// Removes an annotation.
    UnsetAnnotation(String),
    /// Removes every annotation.
    ClearAnnotations,
    /// Sets or removes the entrypoint.
    Entrypoint(Option<Vec<String>>),
    /// Sets or removes the command.
    Cmd(Option<Vec<String>>),
    /// Sets the user.
    User(String),
    /// Sets the directory commands start in.
    WorkingDir(String),
    /// Exposes a port.
    Port(String),
    /// Does not expose it any more.
    UnsetPort(String),
    /// Exposes none.
    ClearPorts,
    /// Declares a volume.
    Volume(String),
    /// Removes it.
    UnsetVolume(String),
    /// Removes every volume.
    ClearVolumes,
    /// Adds an instruction for builds on top.
    OnBuild(String),
    /// Removes all of these.
    ClearOnBuild,
    /// Sets the author.
    Author(String),
    /// Sets the command that history names as the maker of the next layer.
    CreatedBy(String),
    /// Sets the remark on the next layer in history.
    HistoryComment(String),
    /// Sets the image's own remark (Docker's `comment`).
    Comment(String),
    /// Sets the processor.
    Architecture(String),
    /// Sets the variant of the processor.
    Variant(String),
    /// Sets the operating system.
    Os(String),
    /// Sets the version of the operating system.
    OsVersion(String),
    /// Adds a feature of the operating system.
    OsFeature(String),
    /// Removes it.
    UnsetOsFeature(String),
    /// Removes every feature.
    ClearOsFeatures,
    /// Sets the host name.
    Hostname(String),
    /// Sets the domain name.
    Domainname(String),
    /// Sets the signal that asks the container to stop.
    StopSignal(String),
    /// Sets the shell for shell-form commands.
    Shell(Vec<String>),
    /// Sets or removes the health check.
    Healthcheck(Option<Healthcheck>),
    /// Sets the command of the health check: `NONE`, or `CMD` or `CMD-SHELL` and the words.
    HealthTest(Vec<String>),
    /// Sets the time between checks, nanoseconds.
    HealthInterval(i64),
    /// Sets how long one check may take, nanoseconds.
    HealthTimeout(i64),
    /// Sets the time in which failures do not count, nanoseconds.
    HealthStartPeriod(i64),
    /// Sets the time between checks in that time, nanoseconds.
    HealthStartInterval(i64),
    /// Sets how many failures in a row make a container unhealthy.
    HealthRetries(i64),
}

/// What edits change: a config, and what belongs to the manifest and the next line of history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// The image config.
    pub config: ImageConfig,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// The maker of the next layer, if it was set.
    pub created_by: Option<String>,
    /// The remark on the next layer.
    pub history_comment: String,
}

impl Draft {
    /// Applies one edit.
    pub fn apply(&mut self, edit: &ConfigEdit) {
        use ConfigEdit as E;
        let image = &mut self.config;
        let run = &mut image.config;
        match edit {
            E::Env(name, value) => set_env(&mut run.env, name, value),
            E::ExpandedEnv(name, value) => {
                let value = expand(value, |name| env_value(&run.env, name).unwrap_or(name).to_owned());
                set_env(&mut run.env, name, &value);
            }
            E::UnsetEnv(name) => run.env.retain(|entry| env_name(entry) != name),
            E::ClearEnv => run.env.clear(),
            E::Label(name, value) => drop(run.labels.insert(name.clone(), value.clone())),
            E::UnsetLabel(name) => drop(run.labels.remove(name)),
            E::ClearLabels => run.labels.clear(),
            E::Annotation(name, value) => drop(self.annotations.insert(name.clone(), value.clone())),
            E::UnsetAnnotation(name) => drop(self.annotations.remove(name)),
            E::ClearAnnotations => self.annotations.clear(),
            E::Entrypoint(words) => run.entrypoint.clone_from(words),
            E::Cmd(words) => run.cmd.clone_from(words),
            E::User(user) => run.user.clone_from(user),
            E::WorkingDir(dir) => run.working_dir.clone_from(dir),
            E::Port(port) => drop(run.exposed_ports.insert(port.clone(), BTreeMap::new())),
            E::UnsetPort(port) => drop(run.exposed_ports.remove(port)),
            E::ClearPorts => run.exposed_ports.clear(),
            E::Volume(path) => drop(run.volumes.insert(path.clone(), BTreeMap::new())),
            E::UnsetVolume(path) => drop(run.volumes.remove(path)),
            E::ClearVolumes => run.volumes.clear(),
            E::OnBuild(line) => run.on_build.push(line.clone()),
            E::ClearOnBuild => run.on_build.clear(),
            E::Hostname(name) => run.hostname.clone_from(name),
            E::Domainname(name) => run.domainname.clone_from(name),
            E::StopSignal(signal) => run.stop_signal.clone_from(signal),
            E::Shell(words) => run.shell.clone_from(words),
            E::Healthcheck(check) => run.healthcheck.clone_from(check),
            E::HealthTest(words) => checked(run).test.clone_from(words),
            E::HealthInterval(time) => checked(run).interval = *time,
            E::HealthTimeout(time) => checked(run).timeout = *time,
            E::HealthStartPeriod(time) => checked(run).start_period = *time,
            E::HealthStartInterval(time) => checked(run).start_interval = *time,
            E::HealthRetries(number) => checked(run).retries = *number,
            E::CreatedBy(text) => self.created_by = Some(text.clone()),
            E::HistoryComment(text) => self.history_comment.clone_from(text),
            image_edit => edit_image(image, image_edit),
        }
    }
}

/// The edits that concern the image as a whole and not how its containers run.
fn edit_image(image: &mut ImageConfig, edit: &ConfigEdit) {
    use ConfigEdit as E;
    match edit {
        E::Author(author) => image.author.clone_from(author),
        E::Comment(text) if text.is_empty() => drop(image.other.remove("comment")),
        E::Comment(text) => drop(image.other.insert("comment".into(), text.clone().into())),
        E::Architecture(name) => {
            // A variant belongs to its processor.
            if image.architecture != *name {
                image.variant.clear();
            }
            image.architecture.clone_from(name);
        }
        E::Variant(name) => image.variant.clone_from(name),
        E::Os(name) => image.os.clone_from(name),
        E::OsVersion(version) => image.os_version.clone_from(version),
        E::OsFeature(feature) if !image.os_features.contains(feature) => {
            image.os_features.push(feature.clone());
        }
        E::UnsetOsFeature(feature) => image.os_features.retain(|known| known != feature),
        E::ClearOsFeatures => image.os_features.clear(),
        _ => {}
    }
}

/// The health check there is, or the one that is begun with when a part of it is set: none, with the field's defaults.
fn checked(run: &mut ContainerDefaults) -> &mut Healthcheck {
    const SECOND: i64 = 1_000_000_000;
    run.healthcheck.get_or_insert_with(|| Healthcheck {
        test: vec!["NONE".into()],
        interval: 30 * SECOND,
        timeout: 30 * SECOND,
        retries: 3,
        ..Healthcheck::default()
    })
}

fn env_value<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    env.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
}

/// `text` with `$NAME` and `${NAME}` replaced by what `value` gives for the name; a `$` before anything else stays.
fn expand(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, next) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, next)) => (name, next),
            None => after.split_at(after.find(|c: char| !is_in_name(c)).unwrap_or(after.len())),
        };
        if name.is_empty() || !name.chars().all(is_in_name) {
            expanded.push('$');
            rest = after;
        } else {
            expanded.push_str(&value(name));
            rest = next;
        }
    }
    expanded + rest
}

fn is_in_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn env_name(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

/// Sets a variable where it stands, or at the end; an image's list may hold it twice, then one is left.
fn set_env(env: &mut Vec<String>, name: &str, value: &str) {
    let entry = format!("{name}={value}");
    let Some(first) = env.iter().position(|entry| env_name(entry) == name) else {
        env.push(entry);
        return;
    };
    env[first] = entry;
    let mut at = 0;
    env.retain(|entry| {
        at += 1;
        at - 1 <= first || env_name(entry) != name
    });
}
