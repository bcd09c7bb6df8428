//! `kiln config`.

use builder_core::{Config, ConfigEdit as E, Error, Result};

use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::Talk;

/// Edit what the image of a working container will say of itself
///
/// Where NAME can be given, `NAME-` removes it and `-` removes all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// Set an annotation of the manifest
    #[arg(long, short, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Set the processor
    #[arg(long)]
    arch: Option<String>,
    /// Set the author
    #[arg(long)]
    author: Option<String>,
    /// Set the command: a JSON list, or words split as a shell would
    #[arg(long)]
    cmd: Option<String>,
    /// Set the image's comment
    #[arg(long)]
    comment: Option<String>,
    /// Set what history names as the maker of the next layer
    #[arg(long)]
    created_by: Option<String>,
    /// Set the domain name
    #[arg(long)]
    domainname: Option<String>,
    /// Set the entrypoint: a JSON list, or a line for /bin/sh -c
    #[arg(long)]
    entrypoint: Option<String>,
    /// Set an environment variable; NAME alone takes its value from here
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Set the remark on the next layer in history
    #[arg(long)]
    history_comment: Option<String>,
    /// Set the host name
    #[arg(long)]
    hostname: Option<String>,
    /// Set a label
    #[arg(long, short, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Add an instruction for builds on top of this image
    #[arg(long, value_name = "INSTRUCTION")]
    onbuild: Vec<String>,
    /// Set the operating system
    #[arg(long)]
    os: Option<String>,
    /// Require a feature of the operating system
    #[arg(long, value_name = "FEATURE")]
    os_feature: Vec<String>,
    /// Set the version of the operating system
    #[arg(long)]
    os_version: Option<String>,
    /// Expose a port
    #[arg(long, short)]
    port: Vec<String>,
    /// Set the shell for shell-form commands: a JSON list, or words split as a shell would
    #[arg(long)]
    shell: Option<String>,
    /// Set the signal that asks the container to stop
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Remove a label
    #[arg(long, value_name = "NAME")]
    unsetlabel: Vec<String>,
    /// Remove an annotation
    #[arg(long, value_name = "NAME")]
    unsetannotation: Vec<String>,
    /// Set the user, with a group after a colon
    #[arg(long, short)]
    user: Option<String>,
    /// Set the variant of the processor
    #[arg(long)]
    variant: Option<String>,
    /// Declare a volume
    #[arg(long, short, value_name = "PATH")]
    volume: Vec<String>,
    /// Set the directory commands start in
    #[arg(long, value_name = "DIR")]
    workingdir: Option<String>,
    /// Show this edit in the image's history [env: BUILDAH_HISTORY]
    #[arg(long)]
    add_history: bool,
}

impl Args {
    /// Writes the edits into the container's log.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let edits = self.edits()?;
        let talk = Talk { quiet: false };
        let builder = context.builder(&talk)?;
        let history = self.add_history || Environment::text("BUILDAH_HISTORY").as_deref() == Some("true");
        let line =
            (history && !edits.is_empty()).then(|| format!("/bin/sh -c #(nop) {}", self.words().join(" ")));
        Config { container: self.container, edits, history: line }.perform(&builder)?;
        Ok(Exit::Success)
    }

    /// All edits, in an order in which they do not undo each other.
    fn edits(&self) -> Result<Vec<E>> {
        let mut edits = Vec::new();
        let mut set = |value: &Option<String>, edit: fn(String) -> E| edits.extend(value.clone().map(edit));
        set(&self.author, E::Author);
        set(&self.arch, E::Architecture);
        set(&self.variant, E::Variant);
        set(&self.os, E::Os);
        set(&self.os_version, E::OsVersion);
        set(&self.comment, E::Comment);
        set(&self.created_by, E::CreatedBy);
        set(&self.history_comment, E::HistoryComment);
        set(&self.hostname, E::Hostname);
        set(&self.domainname, E::Domainname);
        set(&self.user, E::User);
        set(&self.workingdir, E::WorkingDir);
        set(&self.stop_signal, E::StopSignal);
        named(&mut edits, &self.annotation, pair, E::Annotation, E::UnsetAnnotation, E::ClearAnnotations)?;
        named(&mut edits, &self.label, pair, E::Label, E::UnsetLabel, E::ClearLabels)?;
        named(&mut edits, &self.env, variable, E::Env, E::UnsetEnv, E::ClearEnv)?;
        let one = |name: &str| Ok(Some((name.to_owned(), String::new())));
        named(&mut edits, &self.port, one, |port, _| E::Port(port), E::UnsetPort, E::ClearPorts)?;
        named(&mut edits, &self.volume, one, |path, _| E::Volume(path), E::UnsetVolume, E::ClearVolumes)?;
        let feature = |name, _| E::OsFeature(name);
        named(&mut edits, &self.os_feature, one, feature, E::UnsetOsFeature, E::ClearOsFeatures)?;
        edits.extend(self.unsetlabel.iter().cloned().map(E::UnsetLabel));
        edits.extend(self.unsetannotation.iter().cloned().map(E::UnsetAnnotation));
        for line in &self.onbuild {
            edits.push(if line == "-" { E::ClearOnBuild } else { E::OnBuild(line.clone()) });
        }
        if let Some(shell) = &self.shell {
            edits.push(E::Shell(words("--shell", shell)?));
        }
        if let Some(text) = &self.entrypoint {
            edits.push(E::Entrypoint(entrypoint(text)));
        }
        if let Some(text) = &self.cmd {
            edits.push(E::Cmd(Some(words("--cmd", text)?).filter(|words| !words.is_empty())));
        }
        Ok(edits)
    }

    /// The instructions that history shows for these edits, as a Dockerfile would have them.
    fn words(&self) -> Vec<String> {
        let mut shown = Vec::new();
        let mut one = |name: &str, value: &Option<String>| {
            shown.extend(value.as_ref().map(|value| format!("{name} {value}")));
        };
        one("USER", &self.user);
        one("WORKDIR", &self.workingdir);
        one("STOPSIGNAL", &self.stop_signal);
        one("SHELL", &self.shell);
        one("ENTRYPOINT", &self.entrypoint);
        one("CMD", &self.cmd);
        let lists: [(&str, &[String]); 5] = [
            ("ENV", &self.env),
            ("LABEL", &self.label),
            ("EXPOSE", &self.port),
            ("VOLUME", &self.volume),
            ("ONBUILD", &self.onbuild),
        ];
        for (name, values) in lists {
            shown.extend(values.iter().map(|value| format!("{name} {value}")));
        }
        shown
    }
}

/// Edits of something that has names: `-` removes all, `NAME-` removes one, anything else sets one.
fn named(
    edits: &mut Vec<E>,
    values: &[String],
    read: impl Fn(&str) -> Result<Option<(String, String)>>,
    set: fn(String, String) -> E,
    unset: fn(String) -> E,
    clear: E,
) -> Result<()> {
    for value in values {
        match value.strip_suffix('-') {
            Some("") => edits.push(clear.clone()),
            Some(name) if !name.contains('=') => edits.push(unset(name.to_owned())),
            _ => edits.extend(read(value)?.map(|(name, value)| set(name, value))),
        }
    }
    Ok(())
}

fn pair(text: &str) -> Result<Option<(String, String)>> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(Error::invalid(format!("cannot set `{text}`")).because("there is no name before `=`"));
    }
    Ok(Some((name.to_owned(), value.to_owned())))
}

fn variable(text: &str) -> Result<Option<(String, String)>> {
    if text.contains('=') {
        return pair(text);
    }
    match std::env::var(text) {
        Ok(value) => Ok(Some((text.to_owned(), value))),
        Err(_) => Err(Error::invalid(format!("cannot set the variable `{text}`"))
            .because("it is not set here, so there is no value to take")
            .hint(format!("give a value: --env {text}=VALUE, or remove it: --env {text}-"))),
    }
}

/// A JSON list is taken as it is; nothing removes it; anything else is a line for the shell.
fn entrypoint(text: &str) -> Option<Vec<String>> {
    if text.trim().is_empty() {
        return None;
    }
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
        return Some(words);
    }
    Some(vec!["/bin/sh".into(), "-c".into(), text.into()])
}

/// A JSON list, or words split as a shell would split them.
fn words(flag: &str, text: &str) -> Result<Vec<String>> {
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
        return Ok(words);
    }
    shlex::split(text).ok_or_else(|| {
        Error::invalid(format!("cannot split `{text}` into words"))
            .because("a quote in it is not closed")
            .hint(format!("give {flag} a JSON list: {flag} '[\"word\", \"word\"]'"))
    })
}
