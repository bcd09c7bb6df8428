//! Networks that are kept when the process that made them has ended, for the next one of the same user.
//!
//! To join one to the host's takes pasta longer than most commands run. So a [`Keeper`] is forked early, while this
//! process has one thread; when a command needs a network, the keeper makes it and starts pasta, and moves into it.
//! The network is noted in a file of the store, which whoever uses it locks: one command has it at a time, as if it
//! were its own. The next process finds the file, moves into the keeper's user namespace in place of making one (there
//! only it has power over the network), and takes the lock. When nobody has held the lock for a while, the keeper
//! removes the file and ends, and with it pasta. No keeper and no file is ever waited for: what is dead, of an earlier
//! boot, or of other ids is passed over, and the dead are removed.

use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::Host;
use crate::oci::Digest;
use crate::sandbox::pool::{Held, Joined, Manner};
use crate::sandbox::uplink;
use crate::settings::Settings;
use crate::store;
use crate::sys::keeper::{self, Keeper};
use crate::sys::{lock, random};

mod keep;

use keep::Order;

/// The keeper of this process, until it has something to keep.
static KEEPER: Mutex<Option<Waiting>> = Mutex::new(None);

/// The most that is read of a file.
const MAX_RECORD: u64 = 64 << 10;

/// A keeper that has not been told anything, and what it will be told.
#[derive(Debug)]
struct Waiting {
    keeper: Keeper,
    /// Where networks are noted; nowhere if they are not kept.
    dir: Option<PathBuf>,
    keep: Duration,
}

/// What is noted of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// The keeper's number,
    pid: i32,
    /// when it was started, in the kernel's ticks since the boot,
    started: u64,
    /// and of which boot and namespace of processes that is.
    machine: String,
    /// How it is.
    manner: Manner,
    /// What the host's own network was like: pasta takes addresses and name servers from there.
    host: Digest,
}

/// Enters as [`Host::enter`] does, so that commands have networks of their own that are joined to the host's at once:
/// one that an earlier process of this user has left, or else one that is left for later ones, for as long as `keep`
/// after its last use; none is taken nor left if that is nothing.
///
/// Must be called before any thread starts. `etc` is where `passwd`, `subuid` and `subgid` are (`/etc`).
pub fn enter(host: Host, etc: &Path, settings: &Settings, keep: Duration) -> Result<()> {
    // Without it no network can be joined, and it is closed to the ordinary users of some machines.
    if !uplink::has_device() {
        return host.enter(etc);
    }
    let dir = store::networks(&settings.root);
    if !keep.is_zero()
        && let Some(joined) = find(&dir, host, etc)?
    {
        joined.give();
        return Ok(());
    }
    let comes_back = host.is_privileged() || rustix::process::geteuid().as_raw() != 0;
    host.enter(etc)?;
    let dir = (!keep.is_zero() && comes_back).then_some(dir);
    // Without a keeper networks end with this process, and that is all.
    if let Ok(keeper) = keeper::start(keep::work) {
        *KEEPER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Waiting { keeper, dir, keep });
    }
    Ok(())
}

/// How many networks are kept for later commands of a store.
pub(crate) fn count(root: &Path) -> usize {
    let files = std::fs::read_dir(store::networks(root)).into_iter().flatten().flatten();
    let record = |path: &Path| File::open(path).ok().and_then(|file| Record::read(&file));
    files.filter(|file| record(&file.path()).is_some_and(|record| record.keeper().is_some())).count()
}

/// A network that is free, if there is one; this process may have moved for it.
fn find(dir: &Path, host: Host, etc: &Path) -> Result<Option<Joined>> {
    for file in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = file.path();
        let Ok(Some(lock)) = lock::attempt(&path, lock::Mode::Exclusive) else { continue };
        let keeper = Record::read(lock.file()).and_then(|record| Some((record.keeper()?, record)));
        let Some((living, record)) = keeper.filter(|(_, record)| record.host == host_network()) else {
            // Nobody keeps it any more, or nobody shall have it, and nobody has it: the lock is ours.
            let _ = std::fs::remove_file(&path);
            continue;
        };
        if let Some(namespace) = living.enter(host, etc)? {
            // What is in use has another time than it had.
            let _ = lock.file().set_modified(std::time::SystemTime::now());
            let held = Held::Kept { keeper: living.pidfd, _lock: Some(lock), _line: None };
            return Ok(Some(Joined { namespace, held, manner: record.manner }));
        }
    }
    Ok(None)
}

/// Has this process's keeper make a network; none if it has none, or has one to keep already, or cannot.
pub(super) fn make(manner: Manner, scratch: &Path, helpers: &[PathBuf]) -> Option<Joined> {
    let waiting = KEEPER.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let Waiting { keeper: Keeper { pid, mut line }, dir, keep } = waiting;
    let made = |dir: &PathBuf| DirBuilder::new().recursive(true).mode(0o700).create(dir).is_ok();
    let file = dir.filter(made).map(|dir| dir.join(random::hex(8)));
    let order = Order {
        options: manner.options.clone(),
        scratch: scratch.to_owned(),
        helpers: helpers.to_vec(),
        file: file.clone(),
        keep,
    };
    order.give(&mut line).ok()?;
    let mut answer = [0];
    line.read_exact(&mut answer).ok().filter(|()| answer == keep::DONE)?;
    let pid = Pid::from_raw(pid.as_raw())?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let namespace = uplink::network_of(pid).ok()?;
    let lock = file.and_then(|file| Record::write(pid, &manner, &file));
    let held = Held::Kept { keeper: pidfd, _lock: lock, _line: Some(line) };
    Some(Joined { namespace, held, manner })
}

/// A keeper that lives.
#[derive(Debug)]
struct Living {
    /// Its directory in `/proc`: what is opened in there is its, or cannot be opened.
    proc: OwnedFd,
    pidfd: OwnedFd,
}

impl Record {
    fn read(file: &File) -> Option<Self> {
        let mut text = Vec::new();
        file.take(MAX_RECORD).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Notes a network of this keeper, and locks the note.
    fn write(pid: Pid, manner: &Manner, path: &Path) -> Option<lock::Lock> {
        let write = || {
            let lock = lock::attempt(path, lock::Mode::Exclusive).ok()??;
            let started = start_time(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
            let (pid, manner) = (pid.as_raw_nonzero().get(), manner.clone());
            let record = Record { pid, started, machine: machine()?, manner, host: host_network() };
            lock.file().write_all(&serde_json::to_vec(&record).ok()?).ok()?;
            Some(lock)
        };
        let written = write();
        if written.is_none() {
            // A note that nobody has locked would let the keeper think that the network is free.
            let _ = std::fs::remove_file(path);
        }
        written
    }

    /// Its keeper, if that lives.
    fn keeper(&self) -> Option<Living> {
        if machine().as_deref() != Some(&self.machine) {
            return None;
        }
        let pid = Pid::from_raw(self.pid)?;
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()).ok()?;
        let living = Living { proc, pidfd };
        // One that has ended and that nobody has waited for yet has its number still.
        if has_ended(&living.pidfd) {
            return None;
        }
        (start_time(&living.text("stat")?) == Some(self.started)).then_some(living)
    }
}

impl Living {
    /// Moves this process into its user namespace, where it is not there already, if that has the ids it should have;
    /// the network namespace if so.
    fn enter(&self, host: Host, etc: &Path) -> Result<Option<File>> {
        let Some((users, network)) = self.open("ns/user").zip(self.open("ns/net")) else { return Ok(None) };
        let is_ours = || {
            let ours = rustix::fs::stat("/proc/self/ns/user").ok()?;
            let theirs = rustix::fs::fstat(&users).ok()?;
            Some((ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino))
        };
        let entered = match host.is_privileged() {
            true => is_ours() == Some(true),
            false => match (self.text("uid_map"), self.text("gid_map")) {
                (Some(uids), Some(gids)) => host.join(etc, &users, (&uids, &gids))?,
                _ => false,
            },
        };
        Ok(entered.then_some(network))
    }

    fn open(&self, path: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.proc, path, flags, Mode::empty()).ok().map(File::from)
    }

    fn text(&self, path: &str) -> Option<String> {
        let mut text = String::new();
        self.open(path)?.take(MAX_RECORD).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

/// Where process numbers mean what they mean here: this boot, and this namespace of processes.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let processes = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), processes.display()))
}

/// What the host's network is like: its routes and name servers.
fn host_network() -> Digest {
    let mut all = Vec::new();
    for path in ["/proc/net/route", "/proc/net/ipv6_route", "/etc/resolv.conf"] {
        let text = File::open(path).map(|file| file.take(MAX_RECORD).read_to_end(&mut all));
        all.push(u8::from(text.is_ok()));
    }
    Digest::of(&all)
}

/// Whether the process of this handle has ended.
pub(super) fn has_ended(pidfd: &OwnedFd) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&at_once)) != Ok(0)
}

/// When a process was started, by its `/proc/PID/stat`; see proc_pid_stat(5). Its name may have any letters in it.
fn start_time(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests;
