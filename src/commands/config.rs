//! `kiln config`: its words. What their values mean is in `values`.

mod values;

use std::time::Duration;

use builder_core::{Config, ConfigEdit as E, Error, Result};

use crate::args::{duration, list};
use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::Environment;
use crate::ui::Talk;
use values::{entrypoint, health_test, named, pair, variable, words};

/// Edit what the image of a working container will say of itself
///
/// Where NAME can be given, `NAME-` removes it and `-` removes all. What only Docker's format knows (comment, domain
/// and host name, health check, instructions for builds on top, shell) is kept in images of the OCI format too.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// Set an annotation of the manifest
    #[arg(long, short, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    annotation: Vec<String>,
    /// Set the processor
    #[arg(long)]
    arch: Option<String>,
    /// Set the author
    #[arg(long, allow_hyphen_values = true)]
    author: Option<String>,
    /// Set the command: a JSON list, or words split as a shell would
    #[arg(long, allow_hyphen_values = true)]
    cmd: Option<String>,
    /// Set the image's comment
    #[arg(long, allow_hyphen_values = true)]
    comment: Option<String>,
    /// Set what history names as the maker of the next layer; with commit --layers that layer ends here
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    created_by: Option<String>,
    /// Set the domain name
    #[arg(long, value_name = "NAME")]
    domainname: Option<String>,
    /// Set the entrypoint: a JSON list, or a line for /bin/sh -c
    #[arg(long, allow_hyphen_values = true)]
    entrypoint: Option<String>,
    /// Set an environment variable; NAME alone takes its value from here, $OTHER in a value stands for what the
    /// container has there
    #[arg(long, short, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    env: Vec<String>,
    /// Set the check of whether a container is healthy: `CMD` and words, `CMD-SHELL` and a line, or `NONE`; an empty
    /// one is removed
    #[arg(long, value_name = "CHECK")]
    healthcheck: Option<String>,
    /// Set the time between checks, such as 30s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    healthcheck_interval: Option<Duration>,
    /// Set how many failures in a row make a container unhealthy
    #[arg(long, value_name = "NUMBER")]
    healthcheck_retries: Option<u32>,
    /// Set the time between checks during the start period, such as 5s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    healthcheck_start_interval: Option<Duration>,
    /// Set the time in which failures do not count, such as 1m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    healthcheck_start_period: Option<Duration>,
    /// Set how long one check may take, such as 30s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    healthcheck_timeout: Option<Duration>,
    /// Set the remark on the next layer in history
    #[arg(long, value_name = "COMMENT", allow_hyphen_values = true)]
    history_comment: Option<String>,
    /// Set the host name
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Set a label
    #[arg(long, short, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    label: Vec<String>,
    /// Add an instruction for builds on top of this image; several with commas between
    #[arg(long, value_name = "INSTRUCTION", allow_hyphen_values = true)]
    onbuild: Vec<String>,
    /// Set the operating system
    #[arg(long)]
    os: Option<String>,
    /// Require a feature of the operating system
    #[arg(long, value_name = "FEATURE", allow_hyphen_values = true)]
    os_feature: Vec<String>,
    /// Set the version of the operating system
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// Expose a port; several with commas between
    #[arg(long, short, allow_hyphen_values = true)]
    port: Vec<String>,
    /// Set the shell for shell-form commands: a JSON list, or words split as a shell would
    #[arg(long)]
    shell: Option<String>,
    /// Set the signal that asks the container to stop
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Remove a label; several with commas between
    #[arg(long, value_name = "NAME")]
    unsetlabel: Vec<String>,
    /// Remove an annotation; several with commas between
    #[arg(long, value_name = "NAME")]
    unsetannotation: Vec<String>,
    /// Set the user, with a group after a colon
    #[arg(long, short)]
    user: Option<String>,
    /// Set the variant of the processor
    #[arg(long)]
    variant: Option<String>,
    /// Declare a volume; several with commas between
    #[arg(long, short, value_name = "PATH", allow_hyphen_values = true)]
    volume: Vec<String>,
    /// Set the directory commands start in
    #[arg(long, value_name = "DIR")]
    workingdir: Option<String>,
    /// Show this edit in the image's history [env: BUILDAH_HISTORY]
    #[arg(long)]
    add_history: bool,
    /// Add this line to the image's history
    #[arg(long, value_name = "LINE")]
    history: Vec<String>,
    /// One edit as JSON, taken as it stands: '{"env": ["NAME", "VALUE"]}', '{"cmd": ["WORD"]}', '"clear-env"'
    #[arg(long, value_name = "EDIT")]
    set: Vec<String>,
}

impl Args {
    /// Writes the edits into the container's log.
    pub fn run(mut self, context: &Context) -> Result<Exit> {
        self.port = list::split_all("--port", &self.port)?;
        self.volume = list::split_all("--volume", &self.volume)?;
        self.onbuild = list::split_all("--onbuild", &self.onbuild)?;
        self.unsetlabel = list::split_all("--unsetlabel", &self.unsetlabel)?;
        self.unsetannotation = list::split_all("--unsetannotation", &self.unsetannotation)?;
        let mut edits = self.edits()?;
        for text in &self.set {
            edits.push(serde_json::from_str(text).map_err(|cause| {
                Error::invalid(format!("cannot understand the edit `{text}`"))
                    .because(cause)
                    .hint("write it as --set '{\"env\": [\"NAME\", \"VALUE\"]}'")
            })?);
        }
        let talk = Talk { quiet: false };
        let builder = context.builder(&talk)?;
        let shown = self.add_history || Environment::wants_history();
        let mut history = if shown { self.shown_edits() } else { Vec::new() };
        history.append(&mut self.history);
        Config { container: self.container, edits, history }.perform(&builder)?;
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
        named(&mut edits, &self.env, variable, values::env, E::UnsetEnv, E::ClearEnv)?;
        let one = |name: &str| Ok(Some((name.to_owned(), String::new())));
        named(&mut edits, &self.port, one, |port, _| E::Port(port), E::UnsetPort, E::ClearPorts)?;
        named(&mut edits, &self.volume, one, |path, _| E::Volume(path), E::UnsetVolume, E::ClearVolumes)?;
        let feature = |name, _| E::OsFeature(name);
        named(&mut edits, &self.os_feature, one, feature, E::UnsetOsFeature, E::ClearOsFeatures)?;
        edits.extend(self.unsetlabel.iter().cloned().map(E::UnsetLabel));
        edits.extend(self.unsetannotation.iter().cloned().map(E::UnsetAnnotation));
        for line in self.onbuild.iter().filter(|line| !line.is_empty()) {
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
        self.health(&mut edits)?;
        Ok(edits)
    }

    /// The edits of the health check; its removal wins over its parts.
    fn health(&self, edits: &mut Vec<E>) -> Result<()> {
        match self.healthcheck.as_deref().map(health_test).transpose()? {
            Some(None) => {
                edits.push(E::Healthcheck(None));
                return Ok(());
            }
            Some(Some(test)) => edits.push(E::HealthTest(test)),
            None => {}
        }
        let mut time = |value: Option<Duration>, edit: fn(i64) -> E| {
            let nanoseconds = value.map(|time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
            edits.extend(nanoseconds.map(edit));
        };
        time(self.healthcheck_interval, E::HealthInterval);
        time(self.healthcheck_timeout, E::HealthTimeout);
        time(self.healthcheck_start_period, E::HealthStartPeriod);
        time(self.healthcheck_start_interval, E::HealthStartInterval);
        edits.extend(self.healthcheck_retries.map(|number| E::HealthRetries(number.into())));
        Ok(())
    }

    /// The lines that history shows for these edits, as a build would have them, in Buildah's order.
    fn shown_edits(&self) -> Vec<String> {
        let mut shown = Vec::new();
        let mut one = |name: &str, value: &Option<String>| {
            shown.extend(value.as_ref().map(|value| format!("{name} {value}")));
        };
        one("USER", &self.user);
        one("SHELL", &self.shell);
        one("STOPSIGNAL", &self.stop_signal);
        let joined = |values: &[String]| (!values.is_empty()).then(|| values.join(" "));
        one("EXPOSE", &joined(&self.port));
        one("ENV", &joined(&self.env));
        one("ENTRYPOINT", &self.entrypoint);
        one("CMD", &self.cmd);
        self.volume.iter().for_each(|path| one("VOLUME", &Some(path.clone())));
        one("HEALTHCHECK", &self.healthcheck);
        one("LABEL", &joined(&self.label));
        one("WORKDIR", &self.workingdir);
        self.onbuild.iter().for_each(|line| one("ONBUILD", &Some(line.clone())));
        shown.into_iter().map(|line| format!("/bin/sh -c #(nop) {line}")).collect()
    }
}
