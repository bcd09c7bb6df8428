//! A user namespace for this process: ids of an ordinary user's own, with the kernel's help and `newuidmap`'s.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sched::CloneFlags;
use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, Pid};

use super::threads;

/// `length` ids starting at `inside` are those starting at `outside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdRange {
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
            let said = map_ids(pid, uids, gids);
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
            let own = |ranges: &[IdRange]| ranges.first().map_or(0, |range| range.outside);
            map_alone(own(uids), own(gids)).map_err(|_| io::Error::other(said.trim().to_owned()))
        }
    }
}

fn exit_child(code: i32) -> ! {
    // SAFETY: `_exit` ends the child at once, without running the parent's exit handlers a second time.
    unsafe { nix::libc::_exit(code) }
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
