//! What a verb reads in other containers and in images, and the order in which it comes by that and by its own
//! container.
//!
//! A container has two locks: one on its record, one on its files. So that no two verbs wait for each other, whoever
//! needs the files of several containers locks all their records first, in the order of their ids, and lets none go
//! before it has all the files; and whoever has files without the record waits for no record any more.
//!
//! A cached container at rest is read without its files being locked: what it is made of never changes. So the stages
//! of a build copy from one stage side by side.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::host::Users;
use crate::oci::Digest;
use crate::rootfs;
use crate::steps::hand::{self, Cut};
use crate::steps::timeline;
use crate::store::images::StoredImage;
use crate::store::layers::chain_id;
use crate::store::{ContainerGuard, ContainerRecord, TreeId, Work};
use crate::tree::{Marks, Root};

/// What tells the files of a container or image from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// They are those of the verb's own container, which are below the step.
    Own,
    /// Equal for equal files.
    Known(String),
    /// Nothing does: it is a container that keeps no steps, or was changed by hand.
    Unknown,
}

/// The files of a container or image that a verb reads.
#[derive(Debug)]
pub(crate) struct Files {
    /// What tells them from others.
    pub identity: Identity,
    place: Place,
    root: OnceCell<Root>,
    /// The same with other owners.
    shown: OnceCell<Root>,
}

#[derive(Debug)]
enum Place {
    Own,
    /// An image, by its manifest; it is leased.
    Image(Digest),
    /// A container at rest, as it was; what it is made of is leased.
    Frozen(Box<ContainerRecord>),
    /// A container whose files are locked, what it is, and where its changes are, if they are in a directory of layers.
    Live(rootfs::Rootfs, Box<ContainerRecord>, Option<PathBuf>),
}

/// All that a verb reads elsewhere, by the names it was given.
#[derive(Debug, Default)]
pub(crate) struct Sources(BTreeMap<String, Rc<Files>>);

impl Files {
    fn new(identity: Identity, place: Place) -> Rc<Self> {
        Rc::new(Files { identity, place, root: OnceCell::new(), shown: OnceCell::new() })
    }

    /// The tree, opened when it is first asked for and open as long as this is; none for the verb's own container.
    pub fn root(&self, builder: &Builder<'_>, work: &Work) -> Result<Option<&Root>> {
        if self.root.get().is_none() {
            let root = match &self.place {
                Place::Own => return Ok(None),
                Place::Image(manifest) => rootfs::open_image(builder, work, *manifest, None)?,
                Place::Frozen(record) => rootfs::open_frozen(builder, work, record, None, None)?,
                Place::Live(rootfs, ..) => rootfs.root()?,
            };
            let _ = self.root.set(root);
        }
        Ok(self.root.get())
    }

    /// As [`Files::root`], with the owners that the files have in the namespace of `users`, which is always the same.
    pub fn root_for(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        users: Option<&Users>,
    ) -> Result<Option<&Root>> {
        let Some(users) = users.filter(|users| users.shows().is_some()) else {
            return self.root(builder, work);
        };
        if self.shown.get().is_none() {
            let root = match &self.place {
                Place::Own => return Ok(None),
                Place::Image(manifest) => rootfs::open_image(builder, work, *manifest, Some(users))?,
                Place::Frozen(record) => rootfs::open_frozen(builder, work, record, None, Some(users))?,
                Place::Live(_, record, Some(upper)) => {
                    rootfs::open_frozen(builder, work, record, Some(upper.clone()), Some(users))?
                }
                Place::Live(_, record, None) => {
                    rootfs::plain_shown(builder, record, users)?.ok_or_else(|| {
                        let what = format!("the files of the container `{}`", record.name);
                        Users::refusal(&what, "a program shows them")
                    })?
                }
            };
            let _ = self.shown.set(root);
        }
        Ok(self.shown.get())
    }
}

impl Files {
    /// A directory of the files as a mount of its own, with a layer that takes the changes; none where that has to be
    /// made of the open tree.
    pub fn part(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        part: rootfs::Part<'_>,
    ) -> Result<Option<OwnedFd>> {
        match &self.place {
            Place::Image(manifest) => rootfs::image_part(builder, work, *manifest, part),
            Place::Frozen(record) => rootfs::frozen_part(builder, work, record, None, part),
            Place::Live(_, record, Some(upper)) => {
                rootfs::frozen_part(builder, work, record, Some(upper.clone()), part)
            }
            Place::Own | Place::Live(_, _, None) => Ok(None),
        }
    }
}

impl Sources {
    /// The files of what was given this name.
    ///
    /// # Panics
    ///
    /// If the name was not among those that were held.
    pub fn get(&self, name: &str) -> &Files {
        &self.0[name]
    }

    /// Of images and of containers that nobody is in the midst of changing, for a verb whose own container is known
    /// to nobody else.
    pub fn open<'a>(
        builder: &Builder<'_>,
        work: &Work,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        let mut wanted = Wanted::find(builder, work, None, names)?;
        let mut guards = wanted.hold(builder, None)?;
        wanted.open(builder, work, &mut guards)
    }
}

/// Holds the verb's own container and opens what the verb reads elsewhere; `open` opens the own container's files, if
/// the verb is to have them when its record is let go. That of a cached container is not, and its files are free then.
pub(crate) fn hold<'a, T>(
    builder: &Builder<'_>,
    work: &Work,
    own: &str,
    names: impl IntoIterator<Item = &'a str>,
    open: impl FnOnce(&ContainerGuard) -> Result<T>,
) -> Result<(ContainerGuard, Sources, T)> {
    let own = builder.store.find_container(own)?;
    let mut wanted = Wanted::find(builder, work, Some(&own.id), names)?;
    let mut guards = wanted.hold(builder, Some(&own.id))?;
    let guard = guards.remove(&own.id).expect("held just now");
    let sources = wanted.open(builder, work, &mut guards)?;
    let opened = open(&guard)?;
    let locked = |files: &Rc<Files>| matches!(files.place, Place::Live(..));
    if guard.record.cached && sources.0.values().any(locked) {
        // From here on nobody takes them who does not have the record.
        rootfs::wait_until_free(builder, &guard)?;
    }
    Ok((guard, sources, opened))
}

/// What names were found to mean.
struct Wanted<'a> {
    found: Sources,
    /// Containers other than the verb's own: name and id.
    containers: Vec<(&'a str, String)>,
}

impl<'a> Wanted<'a> {
    fn find(
        builder: &Builder<'_>,
        work: &Work,
        own: Option<&str>,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        let mut wanted = Wanted { found: Sources::default(), containers: Vec::new() };
        for name in names {
            let files = match builder.store.find_container(name) {
                Ok(found) if own == Some(found.id.as_str()) => Files::new(Identity::Own, Place::Own),
                Ok(found) => {
                    wanted.containers.push((name, found.id));
                    continue;
                }
                Err(error) if error.kind() == Kind::NotFound => {
                    let held = image(builder, work, name)?;
                    let chain = chain_id(&held.config.rootfs.diff_ids).map(|chain| chain.hex());
                    let identity = Identity::Known(chain.unwrap_or_default());
                    Files::new(identity, Place::Image(held.entry.manifest.digest))
                }
                Err(error) => return Err(error),
            };
            wanted.found.0.insert(name.to_owned(), files);
        }
        Ok(wanted)
    }

    /// Locks the records of all, in the one order, by their ids.
    fn hold(&self, builder: &Builder<'_>, own: Option<&str>) -> Result<BTreeMap<String, ContainerGuard>> {
        let mut ids: Vec<&str> = self.containers.iter().map(|(_, id)| id.as_str()).chain(own).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|id| Ok((id.to_owned(), builder.store.hold_container(id)?))).collect()
    }

    /// Opens the files of all the others.
    fn open(
        &mut self,
        builder: &Builder<'_>,
        work: &Work,
        guards: &mut BTreeMap<String, ContainerGuard>,
    ) -> Result<Sources> {
        // One container may have been given several names, and its files are locked once.
        let mut opened: BTreeMap<&str, Rc<Files>> = BTreeMap::new();
        for (name, id) in &self.containers {
            let files = match opened.get(id.as_str()) {
                Some(files) => files.clone(),
                None => container(builder, work, guards.get_mut(id).expect("all are held"))?,
            };
            opened.insert(id, files.clone());
            self.found.0.insert((*name).to_owned(), files);
        }
        Ok(std::mem::take(&mut self.found))
    }
}

/// The files of a held container.
fn container(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<Rc<Files>> {
    let plain = rootfs::is_plain(guard);
    let at_rest = match (guard.record.cached, plain) {
        (false, _) => false,
        (true, false) => builder.store.is_untouched(guard)?,
        // Of a tree of its own only a look at all of it tells, which finds a step for what was changed.
        (true, true) => {
            rootfs::wait_until_free(builder, guard)?;
            match hand::cut(builder, work, guard)? {
                Cut::Clean { alone, attached } => {
                    drop(alone);
                    timeline::reattach(builder, work, guard, attached)?;
                    true
                }
                Cut::Busy => false,
            }
        }
    };
    let live = |guard: &ContainerGuard| -> Result<Place> {
        let upper = (!plain && builder.store.form() != Marks::Names).then(|| guard.upper());
        let record = Box::new(guard.record.clone());
        Ok(Place::Live(rootfs::Rootfs::open(builder, work, guard)?, record, upper))
    };
    if !at_rest {
        return Ok(Files::new(Identity::Unknown, live(guard)?));
    }
    let state = timeline::state(builder, guard)?;
    guard.save()?;
    if plain {
        return Ok(Files::new(Identity::Known(state.hex()), live(guard)?));
    }
    let base = guard.record.base.as_ref().map(|base| base.manifest.hex());
    let names = guard.record.frozen.iter().map(TreeId::as_str).chain(base.as_deref());
    builder.store.lease(work, names)?;
    let record = Box::new(guard.record.clone());
    Ok(Files::new(Identity::Known(state.hex()), Place::Frozen(record)))
}

fn image(builder: &Builder<'_>, work: &Work, name: &str) -> Result<StoredImage> {
    builder.store.hold_image(work, name).map_err(|error| match error.kind() {
        Kind::NotFound => Error::new(Kind::NotFound, format!("cannot find a container or image `{name}`"))
            .hint("see what there is with `kiln containers` and `kiln images`"),
        _ => error,
    })
}
