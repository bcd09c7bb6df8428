//! `mount` and `umount`: where a container's files can be seen and edited by hand.

use std::path::PathBuf;

use crate::builder::Builder;
use crate::error::Result;
use crate::rootfs;

/// Mounts a container.
#[derive(Debug, Clone, PartialEq)]
pub struct Mount {
    /// The container, by name or id.
    pub container: String,
}

/// A container and where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// The container's name.
    pub name: String,
    /// The container's id.
    pub id: String,
    /// The directory with its files.
    pub path: PathBuf,
}

impl Mount {
    /// Mounts it, if it is not mounted, and says where. It stays so until `umount`, `rm`, or the session's end.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Mounted> {
        let work = builder.store.work()?;
        let guard = builder.store.hold_container(&self.container)?;
        let path = rootfs::attach(builder, &work, &guard)?;
        Ok(Mounted { name: guard.record.name.clone(), id: guard.record.id.clone(), path })
    }

    /// All containers that are mounted, in this mount namespace.
    pub fn list(builder: &Builder<'_>) -> Result<Vec<Mounted>> {
        let mut mounted = Vec::new();
        for record in builder.store.containers()? {
            let path = builder.store.container_dir(&record.id).join("merged");
            if rootfs::is_attached(&path)? {
                mounted.push(Mounted { name: record.name, id: record.id, path });
            }
        }
        Ok(mounted)
    }
}

/// Takes a container's mount down.
#[derive(Debug, Clone, PartialEq)]
pub struct Umount {
    /// The container, by name or id.
    pub container: String,
}

impl Umount {
    /// Takes it down and gives the container's id; `None` if it was not mounted here: doing it again is no error.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Option<String>> {
        let guard = builder.store.hold_container(&self.container)?;
        if !rootfs::is_attached(&guard.merged())? {
            return Ok(None);
        }
        rootfs::detach(&guard)?;
        Ok(Some(guard.record.id.clone()))
    }
}

/// Says that the mount namespace of this process is a session: what it mounts stays mounted for as long as any process
/// lives that this one becomes or starts, and other commands must reckon with that.
pub fn begin_session(builder: &Builder<'_>) -> Result<()> {
    rootfs::begin_session(&builder.store)
}
