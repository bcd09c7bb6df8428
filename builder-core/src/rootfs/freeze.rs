//! Freezing: what changed in a container becomes the newest of its parts.

use std::path::Path;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::rootfs::copy_upper::copy_upper;
use crate::rootfs::mounted::{attach, clear_mark, is_attached};
use crate::rootfs::quiet::{Quiet, quieten};
use crate::rootfs::{fuse, linked, plain, traces};
use crate::store::{ContainerGuard, TreeId, Work};
use crate::sys::lock::{self, Mode};
use crate::tree::{self, Root};

/// Freezes what changed in a held container, and gives all parts over its base, the newest first.
///
/// Where someone is inside, a copy of the upper as it is now is the newest part, and the container stays as it is.
pub(crate) fn freeze(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<Vec<TreeId>> {
    let mut newest = None;
    if plain::is_one(guard) {
        let path = guard.dir().join("use");
        let alone = lock::attempt(&path, Mode::Exclusive).cannot("lock", path.display())?;
        // Where a command is inside, the traces are its own.
        if alone.is_some() {
            traces::clear(builder, work, guard)?;
        }
        // A tree that is mounted may be written to at any time.
        let alone = alone.filter(|_| is_attached(&guard.merged()).is_ok_and(|attached| !attached));
        plain::freeze(builder, work, guard, alone.is_some())?;
    } else {
        match quieten(builder, guard)? {
            Quiet::Yes { alone, attached } => {
                traces::clear(builder, work, guard)?;
                freeze_held(builder, work, guard)?;
                drop(alone);
                clear_mark(guard.dir());
                if attached {
                    attach(builder, work, guard)?;
                }
            }
            Quiet::Inside | Quiet::Elsewhere => newest = copy_upper(builder, work, guard)?,
        }
    }
    Ok(newest.into_iter().chain(guard.record.frozen.iter().rev().cloned()).collect())
}

/// As [`freeze`], where the caller has made sure that nobody is inside, and took the user's mount down.
pub(crate) fn freeze_held(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<()> {
    if plain::is_one(guard) {
        return plain::freeze(builder, work, guard, true);
    }
    if !fuse::is_at_rest(builder, guard)? {
        return Err(Error::new(Kind::InUse, format!("cannot freeze the container `{}`", guard.record.name))
            .because("a program still serves it"));
    }
    linked::part(builder, guard)?;
    if builder.settings.shuffled {
        shuffle(work, guard)?;
    }
    builder.store.freeze(work, guard).map(drop)
}

/// Puts the names in an upper in another order.
fn shuffle(work: &Work, guard: &ContainerGuard) -> Result<()> {
    let aside = work.dir().join("aside");
    std::fs::create_dir_all(&aside).cannot("make", aside.display())?;
    let open = |path: &Path| Root::open_host(path).cannot("open", path.display());
    tree::shuffle(&open(&guard.upper())?, &open(&aside)?).cannot("shuffle the container", &guard.record.name)
}
