//! `RUN`: the command with its mounts, its script and what it is allowed.

use std::path::{Path, PathBuf};

use builder_core::{
    Builder, Copy, CopyFrom, Device, Error, From, Kind, MountKind, Network, Result, Run, RunMount,
    RunSettings, Seccomp, Shown,
};
use dockerfile_frontend::ast::{NetworkMode, Security};
use dockerfile_frontend::verbs::{self, Origin};

use super::{Adapter, FailedCommand, lock, set_mode};
use crate::build::context::cannot;

impl Adapter<'_> {
    /// Runs a command.
    pub(super) fn run(
        &self,
        builder: &Builder<'_>,
        container: &str,
        run: &verbs::Run,
        shown: &Shown,
    ) -> Result<()> {
        let mounts = self.mounts(builder, &run.mounts)?;
        let mut settings = self.settings_of(run)?;
        let mut args = run.args.clone();
        let scratch = run.script.as_ref().map(|_| builder.scratch()).transpose()?;
        if let (Some(script), Some(scratch)) = (&run.script, &scratch) {
            let path = scratch.path().join("script");
            write_script(&path, script)?;
            settings.volumes.push(format!("{}:{SCRIPT}:ro", path.display()).parse()?);
            args = vec![SCRIPT.to_owned()];
        }
        let machine = &self.options.command;
        // Those of every command are of the build context.
        let main = &self.contexts.main;
        let always = self.options.mounts.iter().cloned().map(|mount| self.in_directory(builder, mount, main));
        let always = always.collect::<Result<Vec<_>>>()?;
        let asked: Vec<&RunMount> = machine.mounts.iter().chain(&always).chain(&mounts).collect();
        let hidden = self.hidden_volumes(builder, container, &asked)?;
        let command = Run {
            args: args.clone(),
            env: run.env.clone(),
            mounts: hidden.iter().chain(asked).cloned().collect(),
            settings,
            hostname: run.hostname.clone().or_else(|| machine.hostname.clone()),
            ..machine.clone()
        };
        let code = command.perform_in(builder, container, shown)?.code();
        if code == 0 {
            return Ok(());
        }
        let failed = FailedCommand { container: container.to_owned(), code };
        lock(&self.failed).push(failed);
        Err(Error::new(Kind::Io, format!("cannot run `{}`", shown_line(&args)))
            .because(format!("it ends with exit code {code}")))
    }

    /// What the instruction's own flags say of how it runs.
    fn settings_of(&self, run: &verbs::Run) -> Result<RunSettings> {
        let mut settings = RunSettings {
            network: match run.network {
                Some(NetworkMode::None) => Some(Network::None),
                Some(NetworkMode::Host) => Some(Network::Host),
                _ => None,
            },
            ..RunSettings::default()
        };
        let own = &self.options.settings.cdi_dirs;
        let usual = &self.options.command.defaults.cdi_dirs;
        let dirs = if own.is_empty() { usual } else { own };
        for (name, required) in &run.devices {
            let device: Device = name.parse()?;
            if *required || device.is_there(dirs) {
                settings.devices.push(device);
            }
        }
        if run.security == Some(Security::Insecure) {
            if !self.options.insecure {
                return Err(Error::new(Kind::Denied, "cannot run with --security=insecure")
                    .because("a file is not to give itself all privileges")
                    .hint("allow it, if it is meant: kiln build --allow security.insecure"));
            }
            settings.cap_add.push("all".to_owned());
            settings.security.seccomp = Some(Seccomp::Unconfined);
            settings.security.unmask.push("ALL".to_owned());
        }
        Ok(settings)
    }

    /// A mount whose source, if it is of files that are there, is in a directory of the host; or in a container with
    /// the same files, where commands are to see their names in another order.
    fn in_directory(&self, builder: &Builder<'_>, mount: RunMount, dir: &Path) -> Result<RunMount> {
        let RunMount { kind: MountKind::Bind { from: None, source }, .. } = &mount else { return Ok(mount) };
        if !self.settings.shuffled {
            return Ok(RunMount { contextdir: Some(absolute(dir)?), ..mount });
        }
        let from = Some(self.shuffled(builder, dir)?);
        Ok(RunMount { kind: MountKind::Bind { from, source: source.clone() }, ..mount })
    }

    /// The container with the files of a directory of the host, whose names are stored in another order.
    fn shuffled(&self, builder: &Builder<'_>, dir: &Path) -> Result<String> {
        let mut made = lock(&self.shuffled);
        if let Some(container) = made.get(dir) {
            return Ok(container.clone());
        }
        let from = From { image: "scratch".to_owned(), cached: true, ..From::default() };
        let container = from.perform(builder)?.id;
        let all = Copy {
            sources: vec![".".to_owned()],
            destination: "/".to_owned(),
            keep_owners: true,
            ..Copy::default()
        };
        all.perform_in(builder, &container, &CopyFrom::Context(dir.to_owned()), false, &Shown::Nothing)?;
        made.insert(dir.to_owned(), container.clone());
        Ok(container)
    }

    /// The mounts of a command.
    fn mounts(&self, builder: &Builder<'_>, mounts: &[(String, Origin)]) -> Result<Vec<RunMount>> {
        let mut found = Vec::new();
        for (text, origin) in mounts {
            let from = match origin {
                Origin::Context => CopyFrom::Context(self.contexts.main.clone()),
                Origin::Container(container) => CopyFrom::Other(container.clone()),
                Origin::Named(name) => self.named(builder, name)?,
            };
            found.push(match from {
                CopyFrom::Other(name) => format!("{text},from={name}").parse::<RunMount>()?,
                CopyFrom::Context(dir) | CopyFrom::Host(dir) => {
                    self.in_directory(builder, text.parse()?, &dir)?
                }
            });
        }
        Ok(found)
    }
}

fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir).map_err(|cause| cannot("find", dir, cause))
}

/// Where a script of a heredoc is mounted.
const SCRIPT: &str = "/dev/pipes/script";

fn write_script(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|cause| cannot("write", path, cause))?;
    set_mode(path, 0o755)
}

/// The command as messages show it.
fn shown_line(args: &[String]) -> String {
    let line = match args {
        [_, flag, line] if flag == "-c" => line.clone(),
        args => args.join(" "),
    };
    let first = line.lines().next().unwrap_or_default();
    first.chars().take(200).collect()
}
