//! A container's tree as a copy of its own, where nothing can be mounted over anything.
//!
//! `plain/` in the container's directory has the tree in `fs`, and in `state` what it was made of and what each file
//! was like then. At a commit what differs becomes a tree like any frozen upper: the rest of Kiln knows nothing of
//! this. A copy shares blocks where the file system can.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::builder::{Builder, now, now_nanoseconds};
use crate::error::{Context, Error, Result};
use crate::event::Meter;
use crate::host::Users;
use crate::rootfs::mounted::lowers;
use crate::store::{ContainerGuard, ContainerRecord, LayerRecord, LogEntry, Logged, TreeId, Work};
use crate::sys::{mount, mount_attr, random};
use crate::tree::{Apply, Changes, Devices, Marks, Options, Root, Stack, Survey, has_change_times};

fn directory(guard: &ContainerGuard) -> PathBuf {
    guard.dir().join("plain")
}

/// Whether this container has a tree of its own.
pub(crate) fn is_one(guard: &ContainerGuard) -> bool {
    directory(guard).join("state").exists()
}

/// The tree as a detached mount; made first if there is none, or one of another state of the container.
pub(super) fn open(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<OwnedFd> {
    let name = &guard.record.name;
    let dir = directory(guard);
    let fits = is_one(guard) && State::read(&dir)?.made_of == made_of(&guard.record);
    if !fits {
        make(builder, work, guard)?;
    }
    mount::clone_of(&dir.join("fs")).cannot("open the container", name)
}

/// The tree of a container that is open, with the owners that its files have in the namespace of `users`; none if it
/// has none of its own.
pub(crate) fn shown(builder: &Builder<'_>, record: &ContainerRecord, users: &Users) -> Result<Option<Root>> {
    let dir = builder.store.container_dir(&record.id).join("plain");
    if !dir.join("state").exists() {
        return Ok(None);
    }
    let mount = mount::clone_of(&dir.join("fs")).cannot("open the container", &record.name)?;
    mount_attr::map_ids(&mount, users.namespace.as_fd()).map_err(|errno| {
        Users::refusal(&format!("the files of the container `{}`", record.name), std::io::Error::from(errno))
    })?;
    Ok(Some(Root::from_fd(mount)))
}

/// Copies the layers and what was changed over them.
fn make(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<()> {
    let task = format!("copying the files of the container {}", guard.record.name);
    let meter = Meter::begin(builder.reporter(), task, None);
    let fresh = fresh_directory(work)?;
    let mut parts = vec![guard.upper()];
    parts.extend(lowers(&builder.store, &guard.record)?);
    let root = merge(builder, &parts, &fresh.join("fs"))?;
    let mut survey = match has_change_times(&fresh).cannot("look at", fresh.display())? {
        true => Survey::take(&root, now_nanoseconds())?,
        false => Survey::read(&root)?,
    };
    survey.settle(now_nanoseconds);
    let state = State { made_of: made_of(&guard.record), survey };
    state.write(&fresh)?;
    let dir = directory(guard);
    if dir.exists() {
        fs::rename(&dir, work.dir().join(random::hex(8))).cannot("remove", dir.display())?;
    }
    fs::rename(&fresh, &dir).cannot("make", dir.display())?;
    meter.end(None);
    Ok(())
}

/// Layers, the topmost first, as one tree of files at `top`.
pub(super) fn merge(builder: &Builder<'_>, parts: &[PathBuf], top: &Path) -> Result<Root> {
    fs::create_dir(top).cannot("make", top.display())?;
    let open = |path: &PathBuf| Root::open_host(path).cannot("open", path.display());
    let stack = Stack::new(parts.iter().map(open).collect::<Result<_>>()?, builder.store.form());
    let root = Root::open_host(top).cannot("open", top.display())?;
    copy(builder, stack.walk(), &root, Marks::None)?;
    Ok(root)
}

fn copy(
    builder: &Builder<'_>,
    entries: impl Iterator<Item = Result<crate::tree::Entry>>,
    root: &Root,
    marks: Marks,
) -> Result<()> {
    let devices = if builder.host.is_rootless() { Devices::Skip } else { Devices::Make };
    let mut apply = Apply::new(root, Options { marks, devices, keep_times: true })?;
    for entry in entries {
        apply.put(entry?)?;
    }
    apply.finish().map(drop)
}

fn fresh_directory(work: &Work) -> Result<PathBuf> {
    let dir = work.dir().join(random::hex(8));
    fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
    Ok(dir)
}

/// Freezes what changed in the tree of a held container since it was made or frozen last, as the newest part.
///
/// Files that someone is writing to are frozen as they are at this moment; the next freeze finds what came later, and
/// perhaps more. With `alone` the caller has made sure that there is nobody, and the next one finds no more than that.
pub(super) fn freeze(
    builder: &Builder<'_>,
    work: &Work,
    guard: &mut ContainerGuard,
    alone: bool,
) -> Result<()> {
    let dir = directory(guard);
    let state = State::read(&dir)?;
    let fits = state.made_of == made_of(&guard.record);
    // What was changed before there was this tree is in it, and below what was changed since.
    builder.store.freeze(work, guard)?;
    if !fits {
        return Ok(());
    }
    let fresh = fresh_directory(work)?;
    let top = fresh.join("fs");
    fs::create_dir(&top).cannot("make", top.display())?;
    let root = Root::open_host(&dir.join("fs")).cannot("open the container", &guard.record.name)?;
    let into = Root::open_host(&top).cannot("open", top.display())?;
    let mut changes = Changes::new(&root, &state.survey, now_nanoseconds());
    let mut changed = false;
    copy(builder, changes.by_ref().inspect(|_| changed = true), &into, builder.store.form())?;
    let mut survey = changes.finish();
    if alone {
        survey.settle(now_nanoseconds);
    }
    if changed {
        let tree = builder.store.publish_tree(work, &fresh, &LayerRecord::default())?;
        guard.record.frozen.push(tree.clone());
        guard.record.log.push(LogEntry { at: now(), did: Logged::Froze(tree) });
        guard.save()?;
    }
    State { made_of: made_of(&guard.record), survey }.write(&dir)
}

/// Says that the tree stands for the parts that the record has now: others of the same content took their place.
pub(crate) fn renamed(guard: &ContainerGuard) -> Result<()> {
    let dir = directory(guard);
    let survey = State::read(&dir)?.survey;
    State { made_of: made_of(&guard.record), survey }.write(&dir)
}

/// What a tree stands for: the layers and frozen parts it was made of.
fn made_of(record: &ContainerRecord) -> String {
    let layers = record.base.iter().flat_map(|base| &base.layers).map(ToString::to_string);
    let frozen = record.frozen.iter().map(TreeId::to_string);
    layers.chain(frozen).collect::<Vec<_>>().join(" ")
}

/// The file `state`: a line with what the tree is made of, then the survey.
struct State {
    made_of: String,
    survey: Survey,
}

impl State {
    fn read(dir: &Path) -> Result<State> {
        let path = dir.join("state");
        let bytes = fs::read(&path).cannot("read", path.display())?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (made_of, survey) = bytes.split_at_checked(end.unwrap_or(usize::MAX)).ok_or_else(|| {
            Error::corrupt(format!("cannot read `{}`", path.display())).because("it is cut short")
        })?;
        let made_of = String::from_utf8_lossy(made_of).into_owned();
        Ok(State { made_of, survey: Survey::parse(&survey[1..])? })
    }

    /// Replaces the file as a whole: one that was cut short would make all files look changed, or none.
    fn write(&self, dir: &Path) -> Result<()> {
        let (path, fresh) = (dir.join("state"), dir.join(format!(".state.{}", random::hex(4))));
        let mut bytes = format!("{}\n", self.made_of).into_bytes();
        bytes.extend_from_slice(&self.survey.to_bytes());
        fs::write(&fresh, bytes).cannot("write", fresh.display())?;
        fs::rename(&fresh, &path).cannot("write", path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("fs")).unwrap();
        fs::write(dir.path().join("fs/new\nline"), "x").unwrap();
        let root = Root::open_host(&dir.path().join("fs")).unwrap();
        let survey = Survey::take(&root, now_nanoseconds()).unwrap();
        let state = State { made_of: "sha256:1 sha256:2 3".to_owned(), survey };
        state.write(dir.path()).unwrap();
        let read = State::read(dir.path()).unwrap();
        assert_eq!((read.made_of, read.survey), (state.made_of, state.survey));
        for damaged in ["", "x", "x\n", "x\n1 2", "x\n1 2\0a b\0"] {
            fs::write(dir.path().join("state"), damaged).unwrap();
            assert!(State::read(dir.path()).is_err(), "{damaged:?}");
        }
    }
}
