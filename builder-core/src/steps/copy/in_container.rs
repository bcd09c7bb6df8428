//! `copy` in a container of the store: opens source and target, copies, writes down that it was done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::builder::{Builder, now};
use crate::error::{Context, Result};
use crate::oci::{Digest, Draft};
use crate::rootfs;
use crate::steps::add::{self, Fetched};
use crate::steps::copy::{Copy, CopySummary, Source, Target};
use crate::steps::key::others;
use crate::steps::sources::{self, Files, Identity, Sources};
use crate::steps::timeline::{self, Asked, Performed};
use crate::steps::{Shown, container, key};
use crate::store::{ContainerGuard, LogEntry, Printed, Work};
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
        let target = builder.store.find_container(name)?.id;
        let fetched = add::fetch(
            &self.sources,
            self.checksum.as_deref(),
            self.keep_git_dir,
            &self.fetch,
            work.dir(),
            builder.reporter(),
        )?;
        let named = match from {
            CopyFrom::Other(name) => Some(name.as_str()),
            CopyFrom::Host(_) | CopyFrom::Context(_) => None,
        };
        let (mut guard, sources, into) =
            sources::hold(builder, &work, &target, named, |guard| match guard.record.cached {
                true => Ok(None),
                false => rootfs::Rootfs::open(builder, &work, guard).map(Some),
            })?;
        let source = Opened::new(builder, from, &sources, fetched)?;
        let Some(into) = into else {
            return self.perform_as_step(builder, &mut guard, AsStep { from, source, shown, work: &work });
        };
        let draft = container::draft(builder, &guard.record)?;
        drop(guard);
        let fingerprint = fingerprint || *shown != Shown::Nothing;
        let done = self.perform_between(builder, &work, &source, &into, &draft, fingerprint)?;
        if let Some(did) = shown.logged(|| self.history(&done)) {
            // Whoever has the record may be waiting for the files.
            drop((into, source));
            drop(sources);
            let mut guard = builder.store.hold_container(&target)?;
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
        let AsStep { from, source, shown, work } = asked;
        let draft = container::draft(builder, &guard.record)?;
        let inputs = self.look(builder, work, &source)?;
        let definition = key::define_copy(builder, self, from, inputs, &draft);
        let perform = |guard: &mut ContainerGuard| {
            let into = rootfs::Rootfs::open(builder, work, guard)?;
            // Whoever takes it from the cache may want the digest.
            let value = self.perform_between(builder, work, &source, &into, &draft, true)?;
            Ok(Performed { value, printed: Printed::default(), failed: 0, never: None })
        };
        let log = |done: &CopySummary| shown.logged(|| self.history(done)).into_iter().collect();
        timeline::step(builder, guard, Asked { definition, perform, log, work, verb: None })
    }

    /// What the sources are, by content; none of files of the target itself, which are below the step.
    fn look(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        source: &Opened<'_>,
    ) -> Result<Option<(String, Digest, Vec<u8>)>> {
        let store = &builder.store;
        let look = || {
            let root = source.root(builder, work)?.expect("it is not the target itself");
            self.inputs(store, work, &source.as_source(root))
        };
        match &source.identity {
            Identity::Own => Ok(None),
            Identity::Known(identity) if source.fetched.is_empty() => {
                let asked = serde_json::to_vec(self).expect("plain data");
                others::remembered(store, work, identity, &asked, look).map(Some)
            }
            Identity::Known(_) | Identity::Unknown => look().map(Some),
        }
    }

    /// Copies from what was opened into what was opened.
    fn perform_between(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        source: &Opened<'_>,
        into: &rootfs::Rootfs,
        draft: &Draft,
        fingerprint: bool,
    ) -> Result<CopySummary> {
        let root = into.root()?;
        let other = source.root(builder, work)?;
        // A source in the same mount would be read while the other is written.
        let upper = if other.is_some() { into.upper()? } else { None };
        let to = Target {
            root: &root,
            upper: upper.as_ref(),
            workdir: &draft.config.config.working_dir,
            devices: if builder.host.is_rootless() { Devices::Skip } else { Devices::Make },
            fingerprint,
        };
        self.perform(&source.as_source(other.unwrap_or(&root)), &to, builder.reporter())
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
    source: Opened<'a>,
    shown: &'a Shown,
    work: &'a Work,
}

/// The files that are copied from.
struct Opened<'a> {
    tree: Tree<'a>,
    base: RelPath,
    /// What tells all of it from others, where that is known without reading it.
    identity: Identity,
    /// Where the store is in it.
    store: Option<RelPath>,
    fetched: BTreeMap<usize, Fetched>,
}

enum Tree<'a> {
    Host(Root),
    Other(&'a Files),
}

impl<'a> Opened<'a> {
    fn new(
        builder: &Builder<'_>,
        from: &CopyFrom,
        sources: &'a Sources,
        fetched: BTreeMap<usize, Fetched>,
    ) -> Result<Self> {
        let host = |dir: &Path| Root::open_host(dir).cannot("open the directory", dir.display());
        let (tree, base, identity) = match from {
            CopyFrom::Host(dir) => {
                (Tree::Host(host(Path::new("/"))?), RelPath::parse(dir)?, Identity::Unknown)
            }
            CopyFrom::Context(dir) => (Tree::Host(host(dir)?), RelPath::root(), Identity::Unknown),
            CopyFrom::Other(name) => {
                let files = sources.get(name);
                (Tree::Other(files), RelPath::root(), files.identity.clone())
            }
        };
        Ok(Opened { tree, base, identity, store: store_within(builder, from), fetched })
    }

    /// The tree; none if that is the target's.
    fn root(&self, builder: &Builder<'_>, work: &Work) -> Result<Option<&Root>> {
        match &self.tree {
            Tree::Host(root) => Ok(Some(root)),
            Tree::Other(files) => files.root(builder, work),
        }
    }

    fn as_source<'b>(&self, root: &'b Root) -> Source<'b> {
        Source { root, base: self.base.clone(), store: self.store.clone(), fetched: self.fetched.clone() }
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
