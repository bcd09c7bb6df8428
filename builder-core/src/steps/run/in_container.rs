//! `run` in a container of the store: opens its files, runs the command, writes down that it was run.

use std::fs;

use crate::builder::{Builder, now};
use crate::error::{Context, Error, Result};
use crate::event::Event;
use crate::host::probe::Knob;
use crate::rootfs;
use crate::sandbox::{Exit, Facts};
use crate::steps::container;
use crate::steps::run::{Run, RunConfig, RunSettings, Scene};
use crate::store::{ContainerRecord, LogEntry, Logged};

impl Run {
    /// Runs the command in a container, by name or id, and waits for it. A line of `history` shows in the image's
    /// history, if the command succeeds.
    ///
    /// The container's record is free meanwhile; its files are held until the command ends.
    pub fn perform_in(&self, builder: &Builder<'_>, name: &str, history: Option<&str>) -> Result<Exit> {
        let work = builder.store.work()?;
        let guard = builder.store.hold_container(name)?;
        let rootfs = rootfs::Rootfs::open(builder, &work, &guard)?;
        let config = container::draft(builder, &guard.record)?.config;
        let record = &guard.record;
        let config = RunConfig {
            env: config.config.env.iter().map(|entry| variable(entry)).collect(),
            user: config.config.user,
            workdir: config.config.working_dir,
            id: record.id.clone(),
            name: record.name.clone(),
            image: record.base.as_ref().map(|base| base.name.clone()).unwrap_or_default(),
            image_id: record.base.as_ref().map(|base| base.id.hex()).unwrap_or_default(),
        };
        let (id, kept) = (record.id.clone(), kept(record)?);
        let traces = Some(rootfs::Traces::new(&guard));
        drop(guard);
        let scratch = work.dir().join("run");
        fs::create_dir(&scratch).cannot("make", scratch.display())?;
        let mount = rootfs.mount.try_clone().cannot("open the container", name)?;
        let run = Run { settings: self.settings.over(&kept.over(&self.defaults)), ..self.clone() };
        let facts = Facts::probe();
        let scene = Scene {
            scratch: &scratch,
            facts: &facts,
            reporter: builder.reporter(),
            store: Some((builder, &work)),
        };
        let exit = run.perform(mount, &config, traces, &scene)?;
        drop(rootfs);
        if exit.code() != 0 && builder.host.has_one_id() {
            builder.report(Event::Warning {
                message: "the command failed where there is one id only: it can give no file to anyone"
                    .to_owned(),
                hint: Some(Knob::SubordinateIds.fix().to_owned()),
            });
        }
        if let Some(line) = history.filter(|_| exit.code() == 0) {
            let mut guard = builder.store.hold_container(&id)?;
            guard.record.log.push(LogEntry { at: now(), did: Logged::History(line.to_owned()) });
            guard.save()?;
        }
        Ok(exit)
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
