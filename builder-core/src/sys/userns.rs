//! User namespaces: one for this process, with ids of an ordinary user's own, by the kernel's help and `newuidmap`'s;
//! and others, that commands move into or that say which ids a mount shows.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sched::CloneFlags;
use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, Pid};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use super::threads;

/// `length` ids starting at `inside` are those starting at `outside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first id inside the namespace.
    pub inside: u32,
    /// The first id outside.
    pub outside: u32,
    /// How many.
    pub length: u32,
}

/// Set once we know that there is one id only.
static ONE_ID: AtomicBool = AtomicBool::new(false);

/// Whether this process is in the user namespace the machine booted with.
pub(crate) fn is_initial() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mut words = map.split_whitespace();
    ONE_ID.store(words.nth(2) == Some("1") && words.next().is_none(), Ordering::Relaxed);
    // The initial namespace maps all ids to themselves; a namespace with the same map would do as well.
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Whether this process is in a user namespace with one id: as far as [`is_initial`] or [`enter_alone`] have seen.
pub(crate) fn has_one_id() -> bool {
    ONE_ID.load(Ordering::Relaxed)
}

/// Moves this process into a new user and mount namespace in which there is nobody but its user, who is root there.
pub(crate) fn enter_alone(uid: u32, gid: u32) -> io::Result<()> {
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    map_alone(uid, gid)
}

/// Maps the one id that everyone may map. Who does may not change groups any more.
fn map_alone(uid: u32, gid: u32) -> io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    ONE_ID.store(true, Ordering::Relaxed);
    Ok(())
}

/// Moves this process into a new user and mount namespace with the given maps. Must run before any thread starts.
///
/// A child that stays outside runs `newuidmap` and `newgidmap`, side by side; it reports what they said.
pub(crate) fn enter(uids: &[IdRange], gids: &[IdRange]) -> io::Result<()> {
    let own = |ranges: &[IdRange]| ranges.first().map_or(0, |range| range.outside);
    enter_mapped((own(uids), own(gids)), |pid| map_ids(pid, uids, gids))
}

/// Moves root without the right to mount into a new user and mount namespace that has the same ids. Must run before any
/// thread starts.
pub(crate) fn enter_as_root() -> io::Result<()> {
    let same = |file: &str| -> io::Result<Vec<IdRange>> {
        let ranges = ranges(&std::fs::read_to_string(file)?);
        Ok(ranges.into_iter().map(|range| IdRange { outside: range.inside, ..range }).collect())
    };
    let (uids, gids) = (same("/proc/self/uid_map")?, same("/proc/self/gid_map")?);
    enter_mapped((0, 0), |pid| match write_maps(pid, &uids, &gids) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    })
}

/// Moves this process into a new user and mount namespace, whose maps a child that stays outside makes by `map`; what
/// that says is the error. Without maps there is still the one id `own`.
fn enter_mapped(own: (u32, u32), map: impl FnOnce(Pid) -> String) -> io::Result<()> {
    let (mut ready_read, mut ready_write) = io::pipe()?;
    let (mut said_read, said_write) = io::pipe()?;
    let pid = Pid::this();
    // SAFETY: no thread has been started yet (the contract of this function), so the child may do anything a process
    // may: no lock can be held by a thread that is not there.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            drop(ready_write);
            drop(said_read);
            let mut byte = [0];
            // The parent could not unshare: nothing to map.
            if ready_read.read(&mut byte).unwrap_or(0) == 0 {
                exit_child(1);
            }
            let said = map(pid);
            let mut pipe = said_write;
            let _ = pipe.write_all(said.as_bytes());
            exit_child(i32::from(!said.is_empty()));
        }
        ForkResult::Parent { child } => {
            drop(said_write);
            drop(ready_read);
            let unshared = nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS);
            if unshared.is_ok() {
                ready_write.write_all(b"1")?;
            }
            drop(ready_write);
            let mut said = String::new();
            said_read.read_to_string(&mut said)?;
            let status = nix::sys::wait::waitpid(child, None)?;
            unshared?;
            if status == WaitStatus::Exited(child, 0) {
                return Ok(());
            }
            // Without the helpers there is still the one id that needs none.
            map_alone(own.0, own.1).map_err(|_| io::Error::other(said.trim().to_owned()))
        }
    }
}

/// Ends a forked child.
pub(super) fn exit_child(code: i32) -> ! {
    // SAFETY: `_exit` ends the child at once, without running the parent's exit handlers a second time.
    unsafe { nix::libc::_exit(code) }
}

/// A user namespace with these maps, which nobody is in. Needs the right to map ids: root's of this namespace.
pub(crate) fn make(uids: &[IdRange], gids: &[IdRange]) -> io::Result<OwnedFd> {
    let enter = || Ok(nix::sched::unshare(CloneFlags::CLONE_NEWUSER)?);
    beside(enter, |pid| {
        write_maps(pid, uids, gids)?;
        Ok(std::fs::File::open(format!("/proc/{pid}/ns/user"))?.into())
    })
}

/// A network namespace of this user namespace, which nobody is in. Needs the right to make one.
pub(crate) fn network() -> io::Result<std::fs::File> {
    let enter = || Ok(nix::sched::unshare(CloneFlags::CLONE_NEWNET)?);
    beside(enter, |pid| std::fs::File::open(format!("/proc/{pid}/ns/net")))
}

/// Moves this process into a user namespace that is there, and a new mount namespace. Must run before any thread
/// starts, and needs the right to: its owner has it, and root.
pub(crate) fn join(namespace: BorrowedFd<'_>) -> io::Result<()> {
    nix::sched::setns(namespace, CloneFlags::CLONE_NEWUSER)?;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
    // Sees how many ids there are.
    is_initial();
    Ok(())
}

/// Maps the ids of the user namespace that a process is in.
fn write_maps(pid: Pid, uids: &[IdRange], gids: &[IdRange]) -> io::Result<()> {
    for (file, ranges) in [("uid_map", uids), ("gid_map", gids)] {
        let mut text = String::new();
        for IdRange { inside, outside, length } in ranges {
            writeln!(text, "{inside} {outside} {length}").expect("a string takes all");
        }
        std::fs::write(format!("/proc/{pid}/{file}"), text)?;
    }
    Ok(())
}

/// The maps of users and groups of a user namespace, as seen from ours, and whether groups may be set there.
pub(crate) fn maps_of(namespace: BorrowedFd<'_>) -> io::Result<([Vec<IdRange>; 2], bool)> {
    // SAFETY: takes two integers; the kernel checks that the descriptor is a user namespace.
    let moved = || match unsafe { nix::libc::setns(namespace.as_raw_fd(), nix::libc::CLONE_NEWUSER) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    beside(moved, |pid| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        let groups = read("setgroups")?.trim() != "deny";
        Ok(([ranges(&read("uid_map")?), ranges(&read("gid_map")?)], groups))
    })
}

/// The text of a map; see user_namespaces(7).
pub(crate) fn ranges(text: &str) -> Vec<IdRange> {
    let line = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(IdRange { inside: next()?, outside: next()?, length: next()? })
    };
    text.lines().filter_map(line).collect()
}

/// Has a child `enter` a namespace, and looks at the child while it is there.
fn beside<T>(
    enter: impl FnOnce() -> io::Result<()>,
    look: impl FnOnce(Pid) -> io::Result<T>,
) -> io::Result<T> {
    let (mut ready, mut say) = io::pipe()?;
    let (mut wait, done) = io::pipe()?;
    // SAFETY: the child does nothing but system calls.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            drop((ready, done));
            let code = enter().err().map_or(0, |error| error.raw_os_error().unwrap_or(nix::libc::EIO));
            let _ = say.write_all(&code.to_ne_bytes());
            // Until the parent has seen enough, or is gone.
            let _ = wait.read(&mut [0]);
            exit_child(0)
        }
        ForkResult::Parent { child } => {
            drop((say, wait));
            let mut code = [0; 4];
            let entered = ready.read_exact(&mut code).map(|()| i32::from_ne_bytes(code));
            let looked = entered.and_then(|code| match code {
                0 => look(child),
                code => Err(io::Error::from_raw_os_error(code)),
            });
            drop(done);
            nix::sys::wait::waitpid(child, None)?;
            looked
        }
    }
}

/// While it lives, what this thread makes belongs to another user and group; it may all that it might before.
#[derive(Debug)]
pub(crate) struct Maker(rustix::thread::CapabilitySets);

impl Maker {
    /// Ids of this namespace. Needs root's capabilities.
    pub(crate) fn become_one(uid: u32, gid: u32) -> io::Result<Self> {
        let before = rustix::thread::capabilities(None)?;
        let maker = Maker(before);
        nix::unistd::setfsgid(nix::unistd::Gid::from_raw(gid));
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(uid));
        // With root's id went what root may do to files.
        rustix::thread::set_capabilities(None, before)?;
        if !before.effective.contains(CapabilitySet::DAC_OVERRIDE) {
            return Err(Errno::PERM.into());
        }
        Ok(maker)
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        nix::unistd::setfsuid(nix::unistd::geteuid());
        nix::unistd::setfsgid(nix::unistd::getegid());
        let _ = rustix::thread::set_capabilities(None, self.0);
    }
}

/// Runs the two helpers. Empty if both did their work, else what went wrong.
fn map_ids(pid: Pid, uids: &[IdRange], gids: &[IdRange]) -> String {
    let start = |program: &str, ranges: &[IdRange]| {
        let mut command = Command::new(program);
        command.arg(pid.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if threads::are_refused() {
            // With a user to become, if only the same one, the standard library forks instead of using `clone3`.
            command.uid(nix::unistd::getuid().as_raw());
        }
        for range in ranges {
            command.args([range.inside, range.outside, range.length].map(|number| number.to_string()));
        }
        command.spawn().map_err(|error| format!("{program}: {error}"))
    };
    let children = [start("newuidmap", uids), start("newgidmap", gids)];
    let mut said = String::new();
    for child in children {
        match child.and_then(|child| child.wait_with_output().map_err(|error| error.to_string())) {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                said.push_str(&String::from_utf8_lossy(&output.stderr));
                if output.stderr.is_empty() {
                    said.push_str(&output.status.to_string());
                }
            }
            Err(error) => said.push_str(&error),
        }
    }
    said
}
