//! The mounts below an attached mount, one after the other, out of `mountinfo`. Allocates nothing.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

/// The most mounts below one that are found; a machine with more is refused rather than half done.
const MAX_MOUNTS: usize = 512;

/// A line of the list is two paths and the file system's options, a page each.
const BUFFER: usize = 16 * 1024;

/// The path of an open file for calls that take no handle.
pub(super) fn path_of<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [u8; 32]) -> Result<&'a CStr, Errno> {
    write!(&mut buffer[..], "/proc/self/fd/{}\0", fd.as_raw_fd()).map_err(|_| Errno::NAMETOOLONG)?;
    CStr::from_bytes_until_nul(buffer).map_err(|_| Errno::INVAL)
}

/// Calls `work` with the top directory of every mount below `top`, which is attached in this namespace.
pub(super) fn each(
    top: BorrowedFd<'_>,
    mut work: impl FnMut(BorrowedFd<'_>) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let stat = rustix::fs::statx(top, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let mut known = [0; MAX_MOUNTS];
    known[0] = stat.stx_mnt_id;
    let mut count = 1;
    // Where the top mount is, as the list has it: the paths of those below begin with it.
    let mut prefix = 0;
    let mut lines = Lines::open()?;
    while let Some(line) = lines.next()? {
        let mut fields = line.split(|byte| *byte == b' ');
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse::<u64>().ok();
        let (Some(id), Some(parent)) = (number(), number()) else { continue };
        let Some(point) = fields.nth(2) else { continue };
        if id == known[0] {
            prefix = if point == b"/" { 0 } else { point.len() };
        } else if known[..count].contains(&parent) {
            *known.get_mut(count).ok_or(Errno::NOSPC)? = id;
            count += 1;
            let below = point.get(prefix..).ok_or(Errno::INVAL)?;
            work(open(top, below)?.as_fd())?;
        }
    }
    Ok(())
}

/// Opens what is mounted at `path`, a field of the list, below `top`. A step a time: no part is longer than a name.
fn open(top: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut here: Option<OwnedFd> = None;
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        let mut name = [0; 256];
        let mut length = 0;
        let mut rest = part;
        while let Some((byte, after)) = rest.split_first() {
            let place = name.get_mut(length).ok_or(Errno::NAMETOOLONG)?;
            // White space and the backslash are written as three octal digits (proc(5)).
            *place = match (byte, after) {
                (b'\\', [a, b, c, ..]) => {
                    rest = &after[3..];
                    ((a & 7) << 6) | ((b & 7) << 3) | (c & 7)
                }
                _ => {
                    rest = after;
                    *byte
                }
            };
            length += 1;
        }
        let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::NAMETOOLONG)?;
        let dir = here.as_ref().map_or(top, AsFd::as_fd);
        here = Some(rustix::fs::openat(dir, name, flags, Mode::empty())?);
    }
    here.ok_or(Errno::INVAL)
}

/// The list, a line at a time.
struct Lines {
    file: OwnedFd,
    buffer: [u8; BUFFER],
    /// What has been read and not yet given: from, to.
    start: usize,
    end: usize,
}

impl Lines {
    fn open() -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::open(c"/proc/thread-self/mountinfo", flags, Mode::empty())?;
        Ok(Lines { file, buffer: [0; BUFFER], start: 0, end: 0 })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Errno> {
        loop {
            if let Some(length) = self.buffer[self.start..self.end].iter().position(|byte| *byte == b'\n') {
                let line = self.start..self.start + length;
                self.start = line.end + 1;
                return Ok(Some(&self.buffer[line]));
            }
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == BUFFER {
                return Err(Errno::NAMETOOLONG);
            }
            match rustix::io::read(&self.file, &mut self.buffer[self.end..]) {
                Ok(0) => return Ok(None),
                Ok(count) => self.end += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
