//! What a file looks like to `stat`: as long as that is the same, so are its bytes and attributes.
//!
//! The kernel changes the ctime with whatever changes, and nobody can set it back; but within one tick of the clock two
//! changes look alike, so what is young is never trusted. Not every file system keeps to this: see [`is_kept_by`].

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, Stat, Timespec, Timestamps};

/// Bytes of a stamp.
const LENGTH: usize = 68;

/// Device, inode, size, modification and change time, mode, owner and group of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp([u8; LENGTH]);

impl Stamp {
    /// How many bytes one has.
    pub(crate) const LENGTH: usize = LENGTH;

    /// The stamp of what was looked at.
    pub(crate) fn of(stat: &Stat) -> Self {
        let times = [(stat.st_mtime, stat.st_mtime_nsec as i64), (stat.st_ctime, stat.st_ctime_nsec as i64)];
        let mut bytes = Vec::with_capacity(LENGTH);
        for number in [stat.st_dev, stat.st_ino, stat.st_size as u64] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for (seconds, nanoseconds) in times {
            bytes.extend_from_slice(&seconds.to_be_bytes());
            bytes.extend_from_slice(&nanoseconds.to_be_bytes());
        }
        for number in [stat.st_mode, stat.st_uid, stat.st_gid] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        Stamp(bytes.try_into().expect("as many as there are"))
    }

    /// As bytes, which sort as stamps do.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of the device.
    pub(crate) fn device(&self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("eight bytes"))
    }

    /// When anything last changed, nanoseconds since the epoch.
    pub(crate) fn changed(&self) -> i64 {
        let number = |at: usize| i64::from_be_bytes(self.0[at..at + 8].try_into().expect("eight bytes"));
        let time = |at: usize| number(at).saturating_mul(1_000_000_000).saturating_add(number(at + 8));
        time(24).max(time(40))
    }
}

/// Whether the file system of an open file is one whose stamps say what they should: of this machine's kernel, with
/// inode numbers that stay. Not FUSE, not a network, not overlay.
pub(crate) fn is_kept_by(file: impl AsFd) -> bool {
    // Numbers of `linux/magic.h`: ext2 to ext4, xfs, btrfs, tmpfs, f2fs, zfs, bcachefs.
    const KEEPERS: [u32; 7] =
        [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e];
    rustix::fs::fstatfs(file).is_ok_and(|stat| KEEPERS.contains(&(stat.f_type as u32)))
}

/// Whether files in a directory have a time of change of their own, that nobody can set. In some that a program
/// provides it is the time of modification. A file is made to see it, and removed.
pub(crate) fn has_change_times(dir: &Path) -> io::Result<bool> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(CWD, dir, flags, Mode::empty())?;
    if is_kept_by(&dir) {
        return Ok(true);
    }
    let name = ".kiln-clock";
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&dir, name, flags, Mode::from_raw_mode(0o600))?;
    let long_ago = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
    let set = rustix::fs::futimens(&file, &Timestamps { last_access: long_ago, last_modification: long_ago });
    let stat = set.and_then(|()| rustix::fs::fstat(&file));
    drop(file);
    rustix::fs::unlinkat(&dir, name, rustix::fs::AtFlags::empty())?;
    Ok(stat?.st_ctime != long_ago.tv_sec)
}
