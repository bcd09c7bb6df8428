//! `copy` in a container of the store: opens source and target, copies, writes down that it was done.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::builder::{Builder, now};
use crate::error::{Context, Error, Kind, Result};
use crate::host::Users;
use crate::rootfs;
use crate::steps::add::{self, Fetched};
use crate::steps::copy::{Copy, CopySummary, Source, Target};
use crate::steps::key::others::{self, Identity};
use crate::steps::timeline::{self, Asked, Performed};
use crate::steps::{Shown, container, key};
use crate::store::{ContainerGuard, ContainerRecord, LogEntry, Printed, Work};
use crate::tree::{Devices, RelPath, Root};

/// Where a copy takes its files from, as the caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFrom {
    /// The whole host; relative sources begin in this absolute directory.
    Host(PathBuf),
    /// A directory of the host, and nothing outside it.
    Context(PathBuf),
    /// The files of a container, or of an image if no container has that name.
    Other(String),
}

/// An opened source and what keeps it open.
struct Opened {
    root: Root,
    base: RelPath,
    /// What tells all of it from others, where that is known without reading it.
    identity: Option<String>,
    _rootfs: Option<rootfs::Rootfs>,
}

impl Copy {
    /// Copies into a container, by name or id. What is `shown` is in the image's history.
    pub fn perform_in(
        &self,
        builder: &Builder<'_>,
        name: &str,
        from: &CopyFrom,
        fingerprint: bool,
        shown: &Shown,
    ) -> Result<CopySummary> {
        let work = builder.store.work()?;
        // Named first: a source that is the target itself would otherwise wait for it.
        let target = builder.store.find_container(name)?;
        let fetched = add::fetch(
            &self.sources,
            self.checksum.as_deref(),
            self.keep_git_dir,
            &self.fetch,
            work.dir(),
            builder.reporter(),
        )?;
        let source = open(builder, &work, from, &target)?;
        let mut guard = builder.store.hold_container(&target.id)?;
        if guard.record.cached {
            let asked = AsStep { from, source, fetched, shown, work: &work };
            return self.perform_as_step(builder, &mut guard, asked);
        }
        let into = rootfs::Rootfs::open(builder, &work, &guard)?;
        let draft = container::draft(builder, &guard.record)?;
        drop(guard);
        let root = into.root()?;
        // A source in the same mount would be read while the other is written.
        let upper = if source.is_some() { into.upper()? } else { None };
        let source = match source {
            Some(source) => source,
            None => Opened { root: into.root()?, base: RelPath::root(), identity: None, _rootfs: None },
        };
        let to = Target {
            root: &root,
            upper: upper.as_ref(),
            workdir: &draft.config.config.working_dir,
            devices: if builder.host.is_rootless() { Devices::Skip } else { Devices::Make },
            fingerprint: fingerprint || *shown != Shown::Nothing,
        };
        let done = self.perform(&source.as_source(builder, from, fetched), &to, builder.reporter())?;
        if let Some(did) = shown.logged(|| self.history(&done)) {
            let mut guard = builder.store.hold_container(&target.id)?;
            guard.record.log.push(LogEntry { at: now(), did });
            guard.save()?;
        }
        Ok(done)
    }

    /// Copies into a held cached container, or takes what was copied before.
    fn perform_as_step(
        &self,
        builder: &Builder<'_>,
        guard: &mut ContainerGuard,
        asked: AsStep<'_>,
    ) -> Result<CopySummary> {
        let AsStep { from, source, fetched, shown, work } = asked;
        let draft = container::draft(builder, &guard.record)?;
        let inputs = match &source {
            Some(source) => {
                let store = &builder.store;
                let look = || self.inputs(store, work, &source.as_source(builder, from, fetched.clone()));
                Some(match &source.identity {
                    Some(identity) if fetched.is_empty() => {
                        let asked = serde_json::to_vec(self).expect("plain data");
                        others::remembered(store, work, identity, &asked, look)?
                    }
                    _ => look()?,
                })
            }
            None => None,
        };
        let definition = key::define_copy(builder, self, from, inputs, &draft);
        let perform = |guard: &mut ContainerGuard| {
            let into = rootfs::Rootfs::open(builder, work, guard)?;
            let root = into.root()?;
            let by_itself = source.is_none();
            let source = match source {
                Some(source) => source,
                None => Opened { root: into.root()?, base: RelPath::root(), identity: None, _rootfs: None },
            };
            let upper = if by_itself { None } else { into.upper()? };
            let to = Target {
                upper: upper.as_ref(),
                root: &root,
                workdir: &draft.config.config.working_dir,
                devices: if builder.host.is_rootless() { Devices::Skip } else { Devices::Make },
                // Whoever takes it from the cache may want it.
                fingerprint: true,
            };
            let value = self.perform(&source.as_source(builder, from, fetched), &to, builder.reporter())?;
            Ok(Performed { value, printed: Printed::default(), failed: 0, never: None })
        };
        let log = |done: &CopySummary| shown.logged(|| self.history(done)).into_iter().collect();
        timeline::step(builder, guard, Asked { definition, perform, log, work, verb: None })
    }

    /// What the image's history says of it.
    #[must_use]
    pub fn history(&self, done: &CopySummary) -> String {
        let digest = done.digest.as_deref().unwrap_or_default();
        let verb = if self.unpack == add::Unpack::Nothing { "COPY" } else { "ADD" };
        format!("/bin/sh -c #(nop) {verb} {}:{digest} in {} ", done.kind, self.destination)
    }
}

/// What a copy as a step is handed.
struct AsStep<'a> {
    from: &'a CopyFrom,
    /// None if it is the target itself.
    source: Option<Opened>,
    fetched: BTreeMap<usize, Fetched>,
    shown: &'a Shown,
    work: &'a Work,
}

impl Opened {
    fn as_source<'a>(
        &'a self,
        builder: &Builder<'_>,
        from: &CopyFrom,
        fetched: BTreeMap<usize, Fetched>,
    ) -> Source<'a> {
        Source { root: &self.root, base: self.base.clone(), store: store_within(builder, from), fetched }
    }
}

/// Where the store is in a source of the host.
fn store_within(builder: &Builder<'_>, from: &CopyFrom) -> Option<RelPath> {
    let store = std::fs::canonicalize(builder.store.root()).ok()?;
    let top = match from {
        CopyFrom::Host(_) => PathBuf::from("/"),
        CopyFrom::Context(dir) => std::fs::canonicalize(dir).ok()?,
        CopyFrom::Other(_) => return None,
    };
    RelPath::parse(store.strip_prefix(top).ok()?).ok()
}

/// Opens the source; none if that is the target itself.
fn open(
    builder: &Builder<'_>,
    work: &Work,
    from: &CopyFrom,
    target: &ContainerRecord,
) -> Result<Option<Opened>> {
    let host = |dir: &PathBuf| Root::open_host(dir).cannot("open the directory", dir.display());
    let opened = match from {
        CopyFrom::Host(dir) => Opened {
            root: host(&PathBuf::from("/"))?,
            base: RelPath::parse(dir)?,
            identity: None,
            _rootfs: None,
        },
        CopyFrom::Context(dir) => {
            Opened { root: host(dir)?, base: RelPath::root(), identity: None, _rootfs: None }
        }
        CopyFrom::Other(name) => match builder.store.find_container(name) {
            Ok(found) if found.id == target.id => return Ok(None),
            _ => {
                let (root, rootfs) = files_of(builder, work, name, None)?;
                let identity = match target.cached {
                    true => others::identity(builder, work, &target.id, name)?,
                    false => Identity::Unknown,
                };
                let identity = match identity {
                    Identity::Known(identity) => Some(identity),
                    Identity::Own | Identity::Unknown => None,
                };
                Opened { root, base: RelPath::root(), identity, _rootfs: rootfs }
            }
        },
    };
    Ok(Some(opened))
}

/// The files of a container, or of an image if no container has that name; and what keeps them open.
pub(crate) fn files_of(
    builder: &Builder<'_>,
    work: &Work,
    name: &str,
    users: Option<&Users>,
) -> Result<(Root, Option<rootfs::Rootfs>)> {
    match builder.store.find_container(name) {
        Ok(found) => {
            let guard = builder.store.hold_container(&found.id)?;
            let rootfs = match users.filter(|users| users.shows().is_some()) {
                Some(users) => rootfs::Rootfs::open_mapped(builder, work, &guard, users)?,
                None => rootfs::Rootfs::open(builder, work, &guard)?,
            };
            Ok((rootfs.root()?, Some(rootfs)))
        }
        Err(error) if error.kind() == Kind::NotFound => Ok((image(builder, work, name, users)?, None)),
        Err(error) => Err(error),
    }
}

fn image(builder: &Builder<'_>, work: &Work, name: &str, users: Option<&Users>) -> Result<Root> {
    let held = builder.store.hold_image(work, name).map_err(|error| match error.kind() {
        Kind::NotFound => Error::new(Kind::NotFound, format!("cannot find a container or image `{name}`"))
            .hint("see what there is with `kiln containers` and `kiln images`"),
        _ => error,
    })?;
    rootfs::open_image(builder, work, held.entry.manifest.digest, users)
}
