//! A copy of an upper that may not be frozen because someone still writes through it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::event::Event;
use crate::rootfs::fuse;
use crate::store::{ContainerGuard, LayerRecord, TreeId, Work};
use crate::sys::random;
use crate::tree::{self, Apply, Devices, Options, Root};

/// Copies the upper as it is now into a tree; none if nothing is in it.
pub(crate) fn copy_upper(
    builder: &Builder<'_>,
    work: &Work,
    guard: &ContainerGuard,
) -> Result<Option<TreeId>> {
    let upper = guard.upper();
    if builder.store.is_untouched(guard)? {
        return Ok(None);
    }
    builder.report(Event::warning(format!(
        "the container `{}` is in use, so its files are copied as they are at this moment",
        guard.record.name
    )));
    let dir = work.dir().join(random::hex(8));
    fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
    let top = dir.join("fs");
    fs::create_dir(&top).cannot("make", top.display())?;
    let from = Root::open_host(&upper).cannot("open", upper.display())?;
    let into = Root::open_host(&top).cannot("open", top.display())?;
    let marks = builder.store.form();
    let mut apply = Apply::new(&into, Options { marks, devices: Devices::Make, keep_times: true })?;
    for entry in tree::walk(&from, marks) {
        apply.put(entry?)?;
    }
    apply.finish()?;
    if fuse::may_serve(guard) {
        fuse::translate(&top, marks)?;
    }
    builder.store.publish_tree(work, &dir, &LayerRecord::default()).map(Some)
}
