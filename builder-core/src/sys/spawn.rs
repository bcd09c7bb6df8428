//! Starting a process in new namespaces: a flat list of system calls, compiled beforehand and performed by the child.
//!
//! The caller may have threads, so between `clone` and `execve` the child neither allocates nor locks: all it needs
//! lies ready in a [`Program`]. What the list should be is decided above, in the sandbox's plan; that the child keeps
//! to the rule is seen to in `perform`.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use nix::libc;
use rustix::process::{Gid, Pid, Uid};
use rustix::thread::CapabilitySet;

use super::signals::Blocked;

mod interpreter;
mod perform;
mod resources;

pub(super) use perform::{close_others, pivot};
pub(crate) use resources::{resource, resource_name};

/// An open file of a [`Program`]: one the parent opened, or one the child will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle(usize);

/// What the child does, in order, and what it works on.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// Open files by [`Handle`]; empty where the child is to put one.
    handles: Vec<Option<OwnedFd>>,
    steps: Vec<Step>,
}

impl Program {
    /// Keeps `fd` open until the program is dropped, for the child to use.
    pub(crate) fn hold(&mut self, fd: OwnedFd) -> Handle {
        self.handles.push(Some(fd));
        Handle(self.handles.len() - 1)
    }

    /// A place for a file that a step opens.
    pub(crate) fn reserve(&mut self) -> Handle {
        self.handles.push(None);
        Handle(self.handles.len() - 1)
    }

    /// Adds a step.
    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// The steps so far.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// A file system that has to be made inside the new namespaces, being a view of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// `proc`, of the process namespace.
    Proc,
    /// `sysfs`, of the network namespace.
    Sysfs,
    /// `mqueue`, of the IPC namespace.
    Mqueue,
    /// `cgroup2`, of the control group namespace.
    Cgroup,
}

impl View {
    /// The kernel's name of the file system.
    pub(crate) fn name(self) -> &'static CStr {
        match self {
            View::Proc => c"proc",
            View::Sysfs => c"sysfs",
            View::Mqueue => c"mqueue",
            View::Cgroup => c"cgroup2",
        }
    }
}

/// One thing the child does.
#[derive(Debug)]
pub(crate) enum Step {
    /// Moves into the namespace of the handle: in the first steps, or of users, with all capabilities there.
    Enter(Handle, Kind),
    /// Moves into the control group whose `cgroup.procs` the handle is.
    Group(Handle),
    /// Makes a namespace of control groups, with the present one as its root.
    GroupView,
    /// Waits until the parent has written to the other end of the handle, a pipe.
    Wait {
        /// The end to read.
        pipe: Handle,
        /// The number of the parent's end, of which the child closes its copy: it would wait for itself.
        other: i32,
    },
    /// Mounts made from here on do not reach the parent, nor the parent's the child.
    Private,
    /// Puts a detached mount over the old root directory, and cuts its ties to where it was copied from.
    Cover(Handle),
    /// Opens a directory of the host, as it is in the child's mount namespace, as a place to mount on.
    Open {
        /// An absolute path, trusted.
        path: CString,
        /// Where it goes.
        into: Handle,
    },
    /// Copies the mount of `path` below `from` into `into`.
    Copy {
        /// Where to start.
        from: Handle,
        /// A path below it, trusted.
        path: CString,
        /// Where the copy goes.
        into: Handle,
    },
    /// Makes a new file system of the namespaces; where the kernel refuses, a copy of what the parent has at `or`.
    Create {
        /// Which.
        view: View,
        /// Whether it is read-only.
        read_only: bool,
        /// The parent's mount of the same, taken if no new one may be made.
        or: Option<&'static CStr>,
        /// Where it goes.
        into: Handle,
    },
    /// Mounts `mount` at the path `at`, resolved below `root`.
    Mount {
        /// The detached mount.
        mount: Handle,
        /// The root directory of the container.
        root: Handle,
        /// Relative to it.
        at: CString,
        /// Whether symlinks on the way are followed (inside the root).
        links: bool,
        /// Whether it may be left out where `at` does not exist or `mount` could not be made.
        optional: bool,
    },
    /// Hides `at`: a file behind the null device, a directory behind an empty one. Left out where nothing is there.
    Mask {
        /// The root directory of the container.
        root: Handle,
        /// Relative to it.
        at: CString,
        /// The mounted directory of devices, with `null` in it, and `pts`, which is empty as yet.
        devices: Handle,
    },
    /// Mounts what is at `at` over itself, read-only. Left out where nothing is there.
    Protect {
        /// The root directory of the container.
        root: Handle,
        /// Relative to it.
        at: CString,
    },
    /// Makes the handle the root directory, and lets go of the old one.
    Pivot(Handle),
    /// Makes the handle the root directory by `chroot`, where it covers the old one.
    Chroot(Handle),
    /// Writes a setting of the kernel's, which is a file below the working directory. Where that is read-only the
    /// setting stays as it is, and the child says so.
    Set {
        /// Where, without links.
        path: CString,
        /// What is written.
        value: CString,
    },
    /// Brings the loopback device up.
    Loopback,
    /// Sets the host name.
    Hostname {
        /// Which.
        name: CString,
        /// Whether the old one must not stay where a filter around us keeps us from setting any.
        required: bool,
    },
    /// Closes every file but `0`–`2`. From here on no path of the container can lead to a file of ours, whether by
    /// `/proc/self/fd` as working directory or as interpreter of the command.
    Close,
    /// Changes the working directory; not by way of the kernel's magic links.
    Directory(CString),
    /// Sets a resource limit; where `wanted` may not be had, the nearest to it that may.
    Limit {
        /// Which, by the kernel's number.
        resource: u32,
        /// Soft and hard limit.
        wanted: (u64, u64),
    },
    /// Makes the handles standard input, output and error; one that is absent stays the parent's.
    Streams([Option<Handle>; 3]),
    /// Starts a session, with `0`–`2` and the controlling terminal being the handle where one is given.
    Session(Option<Handle>),
    /// Makes sure that the command does not lead back to our own program. Needs the right to read any file.
    Inspect(Vec<CString>),
    /// Tells a security module what the command becomes.
    Label {
        /// A file of `/proc/thread-self/attr`.
        path: CString,
        /// What is written to it.
        value: CString,
    },
    /// Installs a seccomp filter.
    Seccomp(Filter),
    /// Becomes the user; `groups` is absent where this user namespace allows no change of them.
    Become {
        /// User id.
        uid: Uid,
        /// Group id.
        gid: Gid,
        /// Supplementary groups.
        groups: Option<Vec<Gid>>,
    },
    /// Bounds what any later `execve` can gain, and clears the ambient set.
    Bound(CapabilitySet),
    /// Has exactly these capabilities, none of them inheritable.
    Capabilities(CapabilitySet),
    /// No later `execve` grants more.
    NoNewPrivileges,
    /// Leaves the caller's session keyring for a new, empty one; where keys are refused or used up, it stays.
    OwnKeyring,
    /// Resets signals, sets the umask, dies with the parent; then runs the command.
    Exec(Command),
}

/// A seccomp program; see seccomp(2) for its limits.
pub(crate) type Filter = Vec<libc::sock_filter>;

/// A program to run, its arguments and its environment.
#[derive(Debug)]
pub(crate) struct Command {
    /// The files to try, in order.
    candidates: Vec<CString>,
    args: Words,
    env: Words,
    /// Which permissions new files do not have.
    umask: u32,
}

impl Command {
    /// The files that are tried, in order.
    pub(crate) fn candidates(&self) -> &[CString] {
        &self.candidates
    }

    /// `candidates` are tried in order until one can be run; `env` is `NAME=value`.
    pub(crate) fn new(candidates: Vec<CString>, args: Vec<CString>, env: Vec<CString>) -> Self {
        Command { candidates, args: Words::new(args), env: Words::new(env), umask: 0o022 }
    }

    /// With another umask than the usual 022.
    pub(crate) fn with_umask(self, umask: u32) -> Self {
        Command { umask, ..self }
    }
}

/// Strings as `execve` takes them.
#[derive(Debug)]
struct Words {
    pointers: Vec<*const c_char>,
    /// What the pointers point into; never changed.
    _strings: Vec<CString>,
}

impl Words {
    fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<*const c_char> = strings.iter().map(|string| string.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Words { pointers, _strings: strings }
    }
}

/// What the child says while it is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The step at this index failed with the error number; the child has ended.
    Failed(usize, i32),
    /// The new file system, or the setting, was refused with the error number; what the parent has was taken.
    FellBack(usize, i32),
    /// The command exists, but not what it needs to be run (the interpreter it names).
    NoInterpreter(usize),
}

impl Notice {
    /// Bytes of one notice on the pipe: three native integers, far below what a pipe takes at once.
    const SIZE: usize = 12;

    fn to_bytes(self) -> [u8; Notice::SIZE] {
        let (kind, step, errno) = match self {
            Notice::Failed(step, errno) => (0, step, errno),
            Notice::FellBack(step, errno) => (1, step, errno),
            Notice::NoInterpreter(step) => (2, step, libc::ENOENT),
        };
        let mut bytes = [0; Notice::SIZE];
        bytes[..4].copy_from_slice(&i32::to_ne_bytes(kind));
        bytes[4..8].copy_from_slice(&u32::to_ne_bytes(step as u32));
        bytes[8..].copy_from_slice(&errno.to_ne_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Notice> {
        let word =
            |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(i32::from_ne_bytes);
        let (kind, step, errno) = (word(0)?, word(4)? as usize, word(8)?);
        match kind {
            0 => Some(Notice::Failed(step, errno)),
            1 => Some(Notice::FellBack(step, errno)),
            2 => Some(Notice::NoInterpreter(step)),
            _ => None,
        }
    }
}

/// A started process.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its number, as we see it.
    pub pid: Pid,
    /// Its handle; readable when it has ended.
    pub pidfd: OwnedFd,
    /// What it says until it runs the command.
    notices: OwnedFd,
    /// Until then it has copies of all our files.
    starting: Option<RwLockReadGuard<'static, ()>>,
}

/// Held while a child is between `clone` and `execve`.
static STARTING: RwLock<()> = RwLock::new(());

/// Waits until no child holds copies of files that this process has closed before the call.
///
/// Without it a mount that was closed could live on for a moment in a child of another thread, and its upper directory
/// be refused as being in use.
pub(crate) fn wait_for_starting() {
    drop(STARTING.write().unwrap_or_else(PoisonError::into_inner));
}

impl Child {
    /// Waits until the command runs or the child has given up, and returns all it said.
    pub(crate) fn settle(&mut self) -> io::Result<Vec<Notice>> {
        let starting = self.starting.take();
        let mut bytes = Vec::new();
        let mut part = [0; 64 * Notice::SIZE];
        loop {
            match rustix::io::read(&self.notices, &mut part) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&part[..count]),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        drop(starting);
        Ok(bytes.chunks_exact(Notice::SIZE).filter_map(Notice::from_bytes).collect())
    }
}

/// A kind of namespace that a child can move into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Control groups.
    Cgroup,
    /// System V and POSIX IPC.
    Ipc,
    /// Network devices and addresses.
    Network,
    /// Users and groups.
    User,
    /// Host name.
    Uts,
}

impl Kind {
    fn flag(self) -> i32 {
        match self {
            Kind::Cgroup => libc::CLONE_NEWCGROUP,
            Kind::Ipc => libc::CLONE_NEWIPC,
            Kind::Network => libc::CLONE_NEWNET,
            Kind::User => libc::CLONE_NEWUSER,
            Kind::Uts => libc::CLONE_NEWUTS,
        }
    }
}

/// Which namespaces a child has of its own; that of mounts always.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// Control groups.
    pub cgroup: bool,
    /// System V and POSIX IPC.
    pub ipc: bool,
    /// Network devices and addresses.
    pub network: bool,
    /// Processes.
    pub pid: bool,
    /// Host name.
    pub uts: bool,
    /// The namespace of processes it begins in, in place of ours.
    pub processes: Option<OwnedFd>,
}

/// Starts a child that performs `program`, in new namespaces.
pub(crate) fn spawn(program: &mut Program, namespaces: &Namespaces) -> io::Result<Child> {
    use rustix::pipe::PipeFlags;
    let (notices, say) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let mut flags = libc::CLONE_NEWNS | libc::CLONE_PIDFD;
    for (own, flag) in [
        (namespaces.cgroup, libc::CLONE_NEWCGROUP),
        (namespaces.ipc, libc::CLONE_NEWIPC),
        (namespaces.network, libc::CLONE_NEWNET),
        (namespaces.pid, libc::CLONE_NEWPID),
        (namespaces.uts, libc::CLONE_NEWUTS),
    ] {
        if own {
            flags |= flag;
        }
    }
    let elsewhere = namespaces.processes.as_ref().map(Elsewhere::enter).transpose()?;
    let starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    // No handler of the parent may run in the child; the child opens its mask again once handlers are gone.
    let blocked = Blocked::all();
    let (pid, pidfd) = clone(flags)?;
    if pid == 0 {
        perform::perform(program, &say);
    }
    drop(blocked);
    drop(elsewhere);
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Child { pid, pidfd, notices, starting: Some(starting) })
}

/// While it lives, children of this thread begin in another namespace of processes.
struct Elsewhere(OwnedFd);

impl Elsewhere {
    fn enter(namespace: &OwnedFd) -> io::Result<Self> {
        let ours = std::fs::File::open("/proc/thread-self/ns/pid_for_children")?.into();
        move_into(namespace.as_fd(), libc::CLONE_NEWPID)?;
        Ok(Elsewhere(ours))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        move_into(self.0.as_fd(), libc::CLONE_NEWPID).expect("one's own namespace may always be entered");
    }
}

/// `setns`, for a namespace of this kind and no other.
fn move_into(namespace: BorrowedFd<'_>, kind: i32) -> io::Result<()> {
    // SAFETY: takes two integers; the kernel checks that the descriptor is a namespace of the kind.
    match unsafe { libc::setns(namespace.as_raw_fd(), kind) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `clone3`, or `clone` where it is refused. Returns 0 in the child; the second value is the parent's pidfd.
fn clone(flags: i32) -> io::Result<(i32, i32)> {
    let mut pidfd: i32 = -1;
    // SAFETY: all-zero is a valid value of this structure of plain integers.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM the child has a copy of our memory, as after fork; it goes on to call nothing that
    // needs another thread (see `perform`). The structure outlives the call, and so does where the pidfd goes.
    let mut pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    let errno = io::Error::last_os_error().raw_os_error();
    // A container's filter answers "not permitted" or "no such call" for what it does not know.
    if pid < 0 && matches!(errno, Some(libc::ENOSYS | libc::EPERM)) {
        let flags = i64::from(flags | libc::SIGCHLD);
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: as above; the old call takes the pidfd's place as its third argument on every architecture.
        pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, &raw mut pidfd, none, none) };
    }
    match pid {
        ..0 => Err(io::Error::last_os_error()),
        pid => Ok((pid as i32, pidfd)),
    }
}

/// Installs a filter in this process, for it and all that it starts.
pub(super) fn confine(filter: &Filter) -> io::Result<()> {
    Ok(perform::seccomp(filter)?)
}

#[cfg(test)]
mod tests;
