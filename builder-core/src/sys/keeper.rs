//! A process that stays when its starter has ended, to keep something that lives only as long as a process does.
//!
//! It is forked before any thread is started, so that it may do all that a process may, and lets go of all it has in
//! common with its starter: open files, the terminal, in the end also the mounts. What it keeps, how long, and what it
//! is told is decided above.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, Pid};

use super::spawn::{close_others, pivot};
use super::userns::exit_child;

/// How such a process is listed.
const NAME: &std::ffi::CStr = c"kiln-keeper";

/// A keeper that has been started.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// Its number.
    pub pid: Pid,
    /// What it is told by; its end is the end of the starter, and how the keeper hears of that.
    pub line: UnixStream,
}

/// Ends the process when it goes, also where a panic makes it go.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        exit_child(0);
    }
}

/// Has a new process do `work`, which it ends with. Must run before any thread starts.
pub(crate) fn start(work: impl FnOnce(UnixStream)) -> io::Result<Keeper> {
    let (line, theirs) = UnixStream::pair()?;
    // SAFETY: no thread has been started yet (the contract of this function), so the child may do anything a process
    // may: no lock can be held by a thread that is not there.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            let _end = End;
            drop(line);
            if let Ok(theirs) = let_go(theirs) {
                work(theirs);
            }
            exit_child(0)
        }
        ForkResult::Parent { child } => Ok(Keeper { pid: child, line }),
    }
}

/// Lets go of the session and of all files but this one.
fn let_go(line: UnixStream) -> io::Result<UnixStream> {
    nix::unistd::setsid()?;
    let _ = rustix::thread::set_name(NAME);
    let null = OwnedFd::from(std::fs::File::options().read(true).write(true).open("/dev/null")?);
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    // It goes with the others.
    std::mem::forget(null);
    close_others(line.as_raw_fd())?;
    Ok(line)
}

/// Lets go of all mounts but an empty root directory: as long as one is in a mount namespace, what it is of is in use.
/// Files that are open stay so.
pub(crate) fn leave_mounts() -> io::Result<()> {
    const NOTHING: Option<&str> = None;
    // Any directory would do; this one is there wherever anything runs.
    const PLACE: &str = "/proc";
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
    nix::mount::mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    nix::mount::mount(Some("kiln"), PLACE, Some("tmpfs"), MsFlags::empty(), Some("size=4k"))?;
    let root = std::fs::File::open(PLACE)?;
    Ok(pivot(root.as_fd())?)
}

/// Moves into a network namespace. Needs the capability to, there and here.
pub(crate) fn enter_network(namespace: &std::fs::File) -> io::Result<()> {
    Ok(nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET)?)
}
