//! A container's files for commands in a user namespace of their own: with the owners that they have there.
//!
//! What is on the disk has the ids of the image. So such a mount is for one command; everything else, and the mount a
//! user sees, shows the ids of the image.

use std::os::fd::AsFd;

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::host::Users;
use crate::rootfs::mounted::{Rootfs, is_attached, overlay, wait};
use crate::rootfs::{fold, fuse, linked, plain, quiet, traces, trees};
use crate::settings::Driver;
use crate::store::{ContainerGuard, Work};
use crate::sys::lock::Mode;
use crate::sys::mount_attr;
use crate::tree::Marks;

impl Rootfs {
    /// As [`Rootfs::open`], with the ids that those of the image are in a user namespace.
    pub fn open_mapped(
        builder: &Builder<'_>,
        work: &Work,
        guard: &ContainerGuard,
        users: &Users,
    ) -> Result<Self> {
        let name = &guard.record.name;
        let refusal =
            |cause: std::io::Error| Users::refusal(&format!("the files of the container `{name}`"), cause);
        if is_attached(&guard.merged())? {
            return Err(Error::new(Kind::InUse, format!("cannot run in the mounted container `{name}`"))
                .because("its commands have ids of their own, and its mount shows those of the image")
                .hint(format!("unmount it first: kiln umount {name}")));
        }
        quiet::refuse_mounted_elsewhere(builder, guard)?;
        let alone = wait(builder, guard, Mode::Exclusive)?;
        traces::clear(builder, work, guard)?;
        linked::join(builder, guard)?;
        if let Some(base) = &guard.record.base {
            trees::ensure(builder, work, base)?;
        }
        let mount = if plain::is_one(guard) || builder.settings.driver == Some(Driver::Vfs) {
            let mount = plain::open(builder, work, guard)?;
            mount_attr::map_ids(&mount, users.namespace.as_fd()).map_err(|errno| refusal(errno.into()))?;
            mount
        } else {
            let by_program = builder.settings.mount_program.is_some() || builder.store.form() == Marks::Names;
            if by_program || !fuse::is_at_rest(builder, guard)? {
                return Err(refusal(rustix::io::Errno::OPNOTSUPP.into()));
            }
            let lowers = fold::lowers_to_mount(builder, work, &guard.record)?;
            overlay(builder, guard, &lowers, Some(users))?.map_err(refusal)?
        };
        Ok(Rootfs { mount, upper: None, _server: None, used: alone, shared: None })
    }
}
