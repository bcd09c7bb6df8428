//! What a keeper does: waits for an order, makes a network, and keeps it until nobody has wanted it for a while.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Timespec as Stamp};
use serde::{Deserialize, Serialize};

use crate::sandbox::pasta;
use crate::sandbox::uplink::Uplink;
use crate::sys::{keeper, userns};

/// The answer when the network is there.
pub(super) const DONE: [u8; 1] = [1];

/// What a keeper is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// Options of pasta.
    pub options: Vec<String>,
    /// A directory of the starter's.
    pub scratch: PathBuf,
    /// Where pasta is looked for before the usual path.
    pub helpers: Vec<PathBuf>,
    /// The file that will tell of the network, in a directory that is there; without one the network ends with the
    /// starter.
    pub file: Option<PathBuf>,
    /// How long it is kept after its last use.
    pub keep: Duration,
}

impl Order {
    /// Tells the keeper at the other end of the line.
    pub fn give(&self, line: &mut UnixStream) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        line.write_all(&length.to_ne_bytes())?;
        line.write_all(&text)
    }

    fn take(line: &mut UnixStream) -> io::Result<Self> {
        let mut length = [0; 4];
        line.read_exact(&mut length)?;
        let mut text = vec![0; u32::from_ne_bytes(length) as usize];
        line.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// Does what the starter orders. Without an order there is nothing to do.
pub(super) fn work(mut line: UnixStream) {
    let Ok(order) = Order::take(&mut line) else { return };
    let Some((mut uplink, note)) = make(&order) else { return };
    if line.write_all(&DONE).is_ok() {
        keep(&mut uplink, line, note.as_ref(), order.keep);
    }
}

/// Makes a network and moves into it.
fn make(order: &Order) -> Option<(Uplink, Option<Note>)> {
    let note = order.file.as_deref().map(Note::new);
    let network = userns::network().ok()?;
    let ours = network.try_clone().ok()?;
    let uplink = pasta::start(network, &order.options, &order.scratch, &order.helpers).ok()?;
    // Where the starter, and those after it, find it.
    keeper::enter_network(&ours).ok()?;
    keeper::leave_mounts().ok()?;
    Some((uplink, note.transpose().ok()?))
}

/// The file that tells of the network, as it is seen without mounts.
struct Note {
    dir: OwnedFd,
    name: PathBuf,
}

/// What a look at the note has shown.
enum Seen {
    /// Somebody has the network.
    InUse,
    /// Nobody has it; and when the last one took it.
    Free(Stamp, File),
    /// There is none.
    Gone,
}

impl Note {
    fn new(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Note { dir: rustix::fs::open(parent, flags, Mode::empty())?, name: name.into() })
    }

    fn look(&self) -> Seen {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = self.name.as_os_str().as_bytes();
        let Ok(file) = rustix::fs::openat(&self.dir, name, flags, Mode::empty()) else { return Seen::Gone };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(_) => Seen::InUse,
            Ok(()) => match rustix::fs::fstat(&file) {
                Ok(stat) => Seen::Free(
                    Stamp { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() },
                    File::from(file),
                ),
                Err(_) => Seen::Gone,
            },
        }
    }

    fn remove(&self) {
        let _ = rustix::fs::unlinkat(&self.dir, self.name.as_os_str().as_bytes(), AtFlags::empty());
    }
}

/// Stays until pasta ends, or until nobody has had the network for as long as `keep`.
fn keep(uplink: &mut Uplink, line: UnixStream, note: Option<&Note>, keep: Duration) {
    let Ok(ended) = uplink.ended() else { return };
    let mut starter = Some(line);
    const LONGEST: Duration = Duration::from_secs(5);
    let tick = note.map_or(LONGEST, |_| (keep / 4).clamp(Duration::from_millis(20), LONGEST));
    let tick = Timespec { tv_sec: tick.as_secs().cast_signed(), tv_nsec: tick.subsec_nanos().into() };
    let (mut used, mut last) = (Instant::now(), None);
    loop {
        let mut polls = vec![PollFd::new(&ended, PollFlags::IN)];
        polls.extend(starter.iter().map(|line| PollFd::from_borrowed_fd(line.as_fd(), PollFlags::IN)));
        let _ = rustix::event::poll(&mut polls, Some(&tick));
        let happened: Vec<bool> = polls.iter().map(|poll| !poll.revents().is_empty()).collect();
        drop(polls);
        if happened[0] {
            // Whoever has it finds out; nobody shall take it again.
            if let Some(note) = note {
                note.remove();
            }
            return;
        }
        if happened.get(1) == Some(&true) {
            starter = None;
        }
        match note.map_or(Seen::Gone, Note::look) {
            // The starter has yet to write it, or has it for itself alone.
            Seen::Gone if starter.is_some() => {}
            Seen::Gone => return,
            Seen::InUse => used = Instant::now(),
            Seen::Free(stamp, _) if last != Some(stamp) => (used, last) = (Instant::now(), Some(stamp)),
            // Nobody can take it any more: the lock is ours until the file is gone.
            Seen::Free(_, _lock) if used.elapsed() >= keep => {
                if let Some(note) = note {
                    note.remove();
                }
                return;
            }
            Seen::Free(..) => {}
        }
    }
}
