//! `run` in a container of the store: opens its files, runs the command, writes down that it was run.

use std::fs;
use std::os::fd::OwnedFd;

use crate::builder::{Builder, now};
use crate::error::{Context, Error, Result};
use crate::event::Event;
use crate::host::Users;
use crate::host::probe::Knob;
use crate::oci::ImageConfig;
use crate::rootfs;
use crate::sandbox::{Exit, Facts};
use crate::steps::run::{MountKind, Run, RunConfig, RunSettings, Scene, UserSpace};
use crate::steps::sources::{self, Sources};
use crate::steps::{Shown, container};
use crate::store::{ContainerGuard, ContainerRecord, LogEntry, Work};

impl Run {
    /// Runs the command in a container, by name or id, and waits for it. What is `shown` is in the image's history, if
    /// the command succeeds; a line that is not given is the command.
    ///
    /// The container's record is free meanwhile, unless it is a cached one; its files are held until the command ends.
    pub fn perform_in(&self, builder: &Builder<'_>, name: &str, shown: &Shown) -> Result<Exit> {
        let work = builder.store.work()?;
        let (mut guard, sources, (run, opened)) =
            sources::hold(builder, &work, name, self.reads(), |guard| {
                let run = self.settled(builder, &guard.record)?;
                let opened = match guard.record.cached {
                    true => None,
                    false => Some(Opened::new(builder, &work, guard, &run.settings)?),
                };
                Ok((run, opened))
            })?;
        let Some(opened) = opened else {
            return run.perform_as_step(builder, &work, &mut guard, &sources, shown);
        };
        let draft = container::draft(builder, &guard.record)?;
        let line = run.line(&draft.config);
        let config = settings(&guard.record, draft.config);
        let id = guard.record.id.clone();
        drop(guard);
        let exit = run.perform_opened(builder, &work, opened, &sources, &config, [None, None, None])?;
        drop(sources);
        if let Some(did) = shown.logged(|| line).filter(|_| exit.code() == 0) {
            let mut guard = builder.store.hold_container(&id)?;
            guard.record.log.push(LogEntry { at: now(), did });
            guard.save()?;
        }
        Ok(exit)
    }

    /// Runs the command in a container that nothing else knows of, and logs nothing; with `no_input` it reads nothing.
    pub(crate) fn perform_passing(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        guard: &ContainerGuard,
        no_input: bool,
    ) -> Result<Exit> {
        let run = self.settled(builder, &guard.record)?;
        let config = settings(&guard.record, container::draft(builder, &guard.record)?.config);
        let opened = Opened::new(builder, work, guard, &run.settings)?;
        let sources = Sources::open(builder, work, run.reads())?;
        let null = || fs::File::open("/dev/null").cannot("open", "/dev/null").map(OwnedFd::from);
        let input = no_input.then(null).transpose()?;
        run.perform_opened(builder, work, opened, &sources, &config, [input, None, None])
    }

    /// The containers and images that its mounts are from.
    fn reads(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Bind { from, .. } | MountKind::Cache { from, .. } => from.as_deref(),
            MountKind::Tmpfs { .. } | MountKind::Secret { .. } | MountKind::Ssh { .. } => None,
        })
    }

    /// The command as histories show it: after the shell that a line of a Dockerfile would be for.
    pub(super) fn line(&self, config: &ImageConfig) -> String {
        let shell = &config.config.shell;
        let shell = if shell.is_empty() { "/bin/sh -c".to_owned() } else { shell.join(" ") };
        format!("{shell} {}", self.args.join(" "))
    }

    /// This run with all settings that hold for it laid together, by the runtime for the container's platform.
    fn settled(&self, builder: &Builder<'_>, record: &ContainerRecord) -> Result<Run> {
        let settings = self.settings.over(&kept(record)?.over(&self.defaults));
        let mut run = Run { settings, ..self.clone() };
        if run.runtime.is_none() && !run.runtimes.is_empty() {
            let config = container::draft(builder, record)?.config;
            run.runtime = run.runtimes.get(&format!("{}/{}", config.os, config.architecture)).cloned();
        }
        Ok(run)
    }

    /// Runs the command in the files that were opened, which are closed when this returns.
    pub(super) fn perform_opened(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        opened: Opened,
        sources: &Sources,
        config: &RunConfig,
        streams: [Option<OwnedFd>; 3],
    ) -> Result<Exit> {
        let mount = opened.rootfs.mount.try_clone().cannot("open the container", &config.name)?;
        let facts = Facts::probe();
        let scene = Scene {
            scratch: &opened.scratch,
            passing: opened.passing.as_ref().map_or(&opened.scratch, Work::dir),
            facts: &facts,
            reporter: builder.reporter(),
            streams,
            store: Some((builder, work, sources)),
            users: opened.users,
        };
        let exit = self.perform(mount, config, Some(opened.traces), scene);
        let left = opened.rootfs.leave();
        let exit = exit?;
        left?;
        if exit.code() != 0 && builder.host.has_one_id() {
            builder.report(Event::Warning {
                message: "the command failed where there is one id only: it can give no file to anyone"
                    .to_owned(),
                hint: Some(Knob::SubordinateIds.fix().to_owned()),
            });
        }
        Ok(exit)
    }
}

/// A container's files, opened for one command.
pub(super) struct Opened {
    rootfs: rootfs::Rootfs,
    traces: rootfs::Traces,
    scratch: std::path::PathBuf,
    passing: Option<Work>,
    users: Option<Users>,
}

impl Opened {
    /// As commands with these settings see them.
    pub(super) fn new(
        builder: &Builder<'_>,
        work: &Work,
        guard: &ContainerGuard,
        settings: &RunSettings,
    ) -> Result<Self> {
        let users = settings.users.as_ref().map(UserSpace::open).transpose()?.flatten();
        let rootfs = match users.as_ref().filter(|users| users.shows().is_some()) {
            Some(users) => rootfs::Rootfs::open_mapped(builder, work, guard, users)?,
            None => rootfs::Rootfs::open_to_run(builder, work, guard)?,
        };
        let scratch = work.dir().join("run");
        fs::create_dir(&scratch).cannot("make", scratch.display())?;
        let passing = builder.settings.run_root.as_deref().map(Work::outside).transpose()?;
        let traces = rootfs::Traces::new(&builder.store, guard, rootfs.is_shared());
        Ok(Opened { rootfs, traces, scratch, passing, users })
    }
}

/// What a run takes from its container.
pub(super) fn settings(record: &ContainerRecord, config: ImageConfig) -> RunConfig {
    RunConfig {
        env: config.config.env.iter().map(|entry| variable(entry)).collect(),
        user: config.config.user,
        workdir: config.config.working_dir,
        id: record.id.clone(),
        name: record.name.clone(),
        image: record.base.as_ref().map(|base| base.name.clone()).unwrap_or_default(),
        image_id: record.base.as_ref().map(|base| base.id.hex()).unwrap_or_default(),
    }
}

/// The settings that the container was made with.
fn kept(record: &ContainerRecord) -> Result<RunSettings> {
    let Some(value) = &record.run else { return Ok(RunSettings::default()) };
    serde_json::from_value(value.clone()).map_err(|cause| {
        Error::corrupt(format!("cannot read the settings of the container `{}`", record.name))
            .because(cause)
            .hint("make it anew with `kiln from`")
    })
}

fn variable(entry: &str) -> (String, String) {
    let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
    (name.to_owned(), value.to_owned())
}
