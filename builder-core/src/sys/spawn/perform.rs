//! The child's side of [`spawn`](super::spawn): performs the steps and becomes the command.
//!
//! Everything here runs in a copy of a process whose other threads are gone, possibly in the middle of an allocation.
//! So: no allocation, no lock, no panic, no drop. `rustix` calls the kernel directly and takes C strings as they are;
//! the few calls it lacks go through `libc`'s thin wrappers, which are async-signal-safe.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Command, Filter, Handle, Notice, Program, Step, View};
use crate::sys::in_root::{self, Links};
use crate::sys::{mount as mounts, mount_attr};

/// The exit code of a child that could not become the command; nobody sees it, for it has said why.
const GAVE_UP: i32 = 125;

type Answer<T = ()> = Result<T, Errno>;

/// Performs all steps; the last becomes the command. Does not return.
pub(super) fn perform(program: &mut Program, say: &OwnedFd) -> ! {
    for index in 0..program.steps.len() {
        let done = match &program.steps[index] {
            Step::Create { view, read_only, or, into } => {
                match create(*view, *read_only, *or) {
                    Ok((made, None)) => put(&mut program.handles, *into, made),
                    Ok((made, Some(refusal))) => {
                        tell(say, Notice::FellBack(index, refusal.raw_os_error()));
                        put(&mut program.handles, *into, made)
                    }
                    // Without a second way out it is for the mount to say whether it can be done without.
                    Err(refusal) if or.is_none() => {
                        tell(say, Notice::FellBack(index, refusal.raw_os_error()));
                        Ok(())
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            Step::Open { path, into } => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                match rustix::fs::open(path.as_c_str(), flags, Mode::empty()) {
                    Ok(opened) => put(&mut program.handles, *into, opened),
                    Err(error) => Err(error),
                }
            }
            Step::Copy { from, path, into } => {
                match get(&program.handles, *from).and_then(|from| copy(from, path, OpenTreeFlags::empty())) {
                    Ok(made) => put(&mut program.handles, *into, made),
                    Err(error) => Err(error),
                }
            }
            Step::Set { path, value } => match write(path, value) {
                // Of a /proc from outside all settings are read-only.
                Err(refusal @ Errno::ROFS) => {
                    tell(say, Notice::FellBack(index, refusal.raw_os_error()));
                    Ok(())
                }
                written => written,
            },
            Step::Exec(command) => {
                let notice = match exec(command, say) {
                    Failure::Errno(errno) => Notice::Failed(index, errno.raw_os_error()),
                    Failure::NoInterpreter => Notice::NoInterpreter(index),
                };
                tell(say, notice);
                exit()
            }
            Step::Close => close_others(say.as_raw_fd()),
            step => simple(step, &program.handles),
        };
        if let Err(errno) = done {
            tell(say, Notice::Failed(index, errno.raw_os_error()));
            exit();
        }
    }
    exit()
}

fn exit() -> ! {
    // SAFETY: ends the process at once; nothing of the parent's (buffers, exit handlers) is run in its copy.
    unsafe { libc::_exit(GAVE_UP) }
}

fn tell(say: &OwnedFd, notice: Notice) {
    // Where the parent is gone nobody needs to know.
    let _ = rustix::io::write(say, &notice.to_bytes());
}

fn get(handles: &[Option<OwnedFd>], handle: Handle) -> Answer<BorrowedFd<'_>> {
    handles.get(handle.0).and_then(Option::as_ref).map(AsFd::as_fd).ok_or(Errno::BADF)
}

fn put(handles: &mut [Option<OwnedFd>], handle: Handle, fd: OwnedFd) -> Answer {
    *handles.get_mut(handle.0).ok_or(Errno::BADF)? = Some(fd);
    Ok(())
}

/// The steps that open nothing for later ones.
fn simple(step: &Step, handles: &[Option<OwnedFd>]) -> Answer {
    match step {
        Step::Enter(namespace, kind) => {
            let namespace = get(handles, *namespace)?;
            // SAFETY: takes two integers; the kernel checks that the descriptor is a namespace of the kind.
            answer(unsafe { libc::setns(namespace.as_raw_fd(), kind.flag()) })
        }
        // The kernel takes 0 for whoever writes it.
        Step::Group(procs) => rustix::io::write(get(handles, *procs)?, b"0").map(drop),
        // SAFETY: takes one integer, and changes nothing of the memory.
        Step::GroupView => answer(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }),
        Step::Wait { pipe, other } => {
            // SAFETY: the child's copy of a descriptor that only the parent uses.
            unsafe { libc::close(*other) };
            wait(get(handles, *pipe)?)
        }
        Step::Private => {
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            rustix::mount::mount_change(c"/", private)
        }
        Step::Cover(mount) => {
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            let mount = get(handles, *mount)?;
            rustix::mount::move_mount(mount, c"", CWD, c"/", flags)?;
            // A copy of a shared mount is its peer: what is mounted on it would appear on the original, too.
            rustix::process::fchdir(mount)?;
            rustix::mount::mount_change(c".", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        }
        Step::Mount { mount, root, at, links, optional } => {
            let Ok(mount) = get(handles, *mount) else {
                return if *optional { Ok(()) } else { Err(Errno::BADF) };
            };
            match find(get(handles, *root)?, at, *links) {
                Ok(target) => attach(mount, target.as_fd()),
                Err(Errno::NOENT | Errno::NOTDIR) if *optional => Ok(()),
                Err(error) => Err(error),
            }
        }
        Step::Mask { root, at, devices } => mask(get(handles, *root)?, at, get(handles, *devices)?),
        Step::Protect { root, at } => protect(get(handles, *root)?, at),
        Step::Pivot(root) => pivot(get(handles, *root)?),
        Step::Chroot(root) => chroot(get(handles, *root)?),
        Step::Loopback => loopback(),
        Step::Hostname { name, required } => match rustix::system::sethostname(name.as_bytes()) {
            Err(Errno::PERM | Errno::NOSYS) if !required => Ok(()),
            set => set,
        },
        Step::Directory(path) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = rustix::fs::open(c"/", flags, Mode::empty())?;
            let path = path.as_c_str();
            let links = Links::Followed;
            rustix::process::fchdir(in_root::open(root.as_fd(), path, flags, Mode::empty(), links)?)
        }
        Step::Inspect(candidates) => candidates.iter().try_for_each(|path| super::interpreter::inspect(path)),
        Step::Limit { resource, wanted } => limit(*resource, *wanted),
        Step::Streams(streams) => streams_of(handles, streams),
        Step::Session(terminal) => session(terminal.map(|handle| get(handles, handle)).transpose()?),
        Step::Seccomp(filter) => seccomp(filter),
        Step::Become { uid, gid, groups } => {
            if let Some(groups) = groups {
                rustix::thread::set_thread_groups(groups)?;
            }
            rustix::thread::set_thread_res_gid(*gid, *gid, *gid)?;
            rustix::thread::set_thread_res_uid(*uid, *uid, *uid)
        }
        Step::Bound(keep) => bound(*keep),
        Step::Capabilities(sets) => {
            let inheritable = CapabilitySet::empty();
            let sets = CapabilitySets { effective: *sets, permitted: *sets, inheritable };
            rustix::thread::set_capabilities(None, sets)
        }
        Step::Label { path, value } => write(path, value),
        Step::NoNewPrivileges => rustix::thread::set_no_new_privs(true),
        Step::OwnKeyring => own_keyring(),
        Step::Create { .. }
        | Step::Open { .. }
        | Step::Copy { .. }
        | Step::Set { .. }
        | Step::Close
        | Step::Exec(_) => Err(Errno::INVAL),
    }
}

/// Joins a new session keyring without a name.
fn own_keyring() -> Answer {
    let name: *const libc::c_char = std::ptr::null();
    // SAFETY: the call takes an operation and, for this one, a string or null.
    let joined = unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name) };
    if joined >= 0 {
        return Ok(());
    }
    match last_errno() {
        // A filter around us keeps the command from keys as well; an ordinary user may have used his up.
        Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::DQUOT => Ok(()),
        errno => Err(errno),
    }
}

/// Writes to a file of the kernel's.
fn write(path: &CStr, value: &CStr) -> Answer {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    rustix::io::write(&file, value.to_bytes()).map(drop)
}

/// Makes `root` the root directory, and lets go of the old one.
pub(in crate::sys) fn pivot(root: BorrowedFd<'_>) -> Answer {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(c".", c".")?;
    // The old root now lies over the new one, and goes with all that is mounted in it.
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

/// Makes `root` the root directory, which covers the old one.
fn chroot(root: BorrowedFd<'_>) -> Answer {
    rustix::process::fchdir(root)?;
    rustix::process::chroot(c".")?;
    rustix::process::chdir(c"/")
}

/// Waits for one byte. The end of the pipe is the end of the parent, or of its will to go on.
fn wait(pipe: BorrowedFd<'_>) -> Answer {
    let mut byte = [0];
    loop {
        match rustix::io::read(pipe, &mut byte) {
            Ok(1) => return Ok(()),
            Ok(_) => return Err(Errno::PIPE),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens `at` below `root` as a place to mount on. Never leaves the root.
fn find(root: BorrowedFd<'_>, at: &CStr, links: bool) -> Answer<OwnedFd> {
    let links = if links { Links::Followed } else { Links::Refused };
    in_root::open(root, at, OFlags::PATH, Mode::empty(), links)
}

fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Answer {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", target, c"", flags)
}

fn copy(from: BorrowedFd<'_>, path: &CStr, more: OpenTreeFlags) -> Answer<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(from, path, flags | more)
}

/// A new file system, or a copy of the parent's and why.
fn create(view: View, read_only: bool, or: Option<&CStr>) -> Answer<(OwnedFd, Option<Errno>)> {
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    if read_only {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let refusal = match make(view, attributes) {
        Ok(made) => return Ok((made, None)),
        Err(refusal) => refusal,
    };
    let host = or.ok_or(refusal)?;
    let made = copy(CWD, host, OpenTreeFlags::AT_RECURSIVE)?;
    Ok((mount_attr::restrict_here(made, attributes, true)?, Some(refusal)))
}

fn make(view: View, attributes: MountAttrFlags) -> Answer<OwnedFd> {
    let make = || {
        let context = rustix::mount::fsopen(view.name(), FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(&context)?;
        rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    match make() {
        Err(Errno::NOSYS | Errno::PERM) => mounts::file_system_here(view.name(), attributes),
        made => made,
    }
}

fn mask(root: BorrowedFd<'_>, at: &CStr, devices: BorrowedFd<'_>) -> Answer {
    let target = match find(root, at, false) {
        // Also a directory that may not be searched: what cannot be reached need not be hidden.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => return Ok(()),
        found => found?,
    };
    let stat = rustix::fs::fstat(&target)?;
    let directory = stat.st_mode & libc::S_IFMT == libc::S_IFDIR;
    let mut cover = copy(devices, if directory { c"pts" } else { c"null" }, OpenTreeFlags::empty())?;
    if directory {
        cover = mount_attr::restrict_here(cover, MountAttrFlags::MOUNT_ATTR_RDONLY, false)?;
    }
    attach(cover.as_fd(), target.as_fd())
}

fn protect(root: BorrowedFd<'_>, at: &CStr) -> Answer {
    let target = match find(root, at, false) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => return Ok(()),
        found => found?,
    };
    let same = copy(target.as_fd(), c"", OpenTreeFlags::AT_RECURSIVE)?;
    let same = mount_attr::restrict_here(same, MountAttrFlags::MOUNT_ATTR_RDONLY, true)?;
    attach(same.as_fd(), target.as_fd())
}

/// Sets `IFF_UP` on `lo`, which a new network namespace has but leaves down.
fn loopback() -> Answer {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    let kind = SocketType::DGRAM;
    let socket = rustix::net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all-zero is a valid value of this structure of plain integers and arrays.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which lives here.
    answer(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw mut request) })
}

fn limit(resource: u32, (soft, hard): (u64, u64)) -> Answer {
    let wanted = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    let none = std::ptr::null_mut();
    // SAFETY: both pointers are null or to a live structure of the size the call expects.
    if answer(unsafe { libc::prlimit64(0, resource, &raw const wanted, none) }) != Err(Errno::PERM) {
        return Ok(());
    }
    // The hard limit may not be raised here: take as much as there is.
    let mut now = wanted;
    // SAFETY: as above; `now` takes the present limits.
    answer(unsafe { libc::prlimit64(0, resource, std::ptr::null(), &raw mut now) })?;
    let hard = hard.min(now.rlim_max);
    let clamped = libc::rlimit64 { rlim_cur: soft.min(hard), rlim_max: hard };
    // SAFETY: as above.
    answer(unsafe { libc::prlimit64(0, resource, &raw const clamped, none) })
}

fn streams_of(handles: &[Option<OwnedFd>], streams: &[Option<Handle>; 3]) -> Answer {
    let [input, output, error] = streams;
    if let Some(handle) = input {
        rustix::stdio::dup2_stdin(get(handles, *handle)?)?;
    }
    if let Some(handle) = output {
        rustix::stdio::dup2_stdout(get(handles, *handle)?)?;
    }
    match error {
        Some(handle) => rustix::stdio::dup2_stderr(get(handles, *handle)?),
        None => Ok(()),
    }
}

fn session(terminal: Option<BorrowedFd<'_>>) -> Answer {
    rustix::process::setsid()?;
    let Some(terminal) = terminal else { return Ok(()) };
    rustix::process::ioctl_tiocsctty(terminal)?;
    rustix::stdio::dup2_stdin(terminal)?;
    rustix::stdio::dup2_stdout(terminal)?;
    rustix::stdio::dup2_stderr(terminal)
}

pub(super) fn seccomp(filter: &Filter) -> Answer {
    let length = u16::try_from(filter.len()).map_err(|_| Errno::TOOBIG)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel only reads the program, which has `len` instructions and outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            (&raw const program).cast::<libc::c_void>(),
        )
    };
    answer(result as i32)
}

/// Drops all capabilities but `keep` from the bounding set, up to the last one this kernel has, and all ambient ones.
fn bound(keep: CapabilitySet) -> Answer {
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if keep.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Err(Errno::INVAL) => break,
            dropped => dropped?,
        }
    }
    rustix::thread::clear_ambient_capability_set()
}

/// Why the command does not run.
enum Failure {
    Errno(Errno),
    NoInterpreter,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Failure::Errno(errno)
    }
}

fn exec(command: &Command, say: &OwnedFd) -> Failure {
    if let Err(errno) = prepare(say, command.umask) {
        return errno.into();
    }
    let mut answer = Errno::NOENT;
    for candidate in &command.candidates {
        // SAFETY: a C string and two arrays of C strings that end in a null pointer; all outlive the call.
        unsafe {
            libc::execve(candidate.as_ptr(), command.args.pointers.as_ptr(), command.env.pointers.as_ptr())
        };
        match last_errno() {
            // Like a shell: a directory of the PATH that lacks the command is passed over …
            Errno::NOENT | Errno::NOTDIR if !exists(candidate) => {}
            Errno::NOENT => return Failure::NoInterpreter,
            // … and one that may not be run is only named if no other can.
            Errno::ACCESS => answer = Errno::ACCESS,
            errno => return errno.into(),
        }
    }
    answer.into()
}

fn exists(path: &CString) -> bool {
    use rustix::fs::Access;
    rustix::fs::accessat(CWD, path.as_c_str(), Access::EXISTS, AtFlags::empty()).is_ok()
}

/// What a process inherits and should not.
fn prepare(say: &OwnedFd, umask: u32) -> Answer {
    rustix::process::umask(Mode::from_raw_mode(umask));
    crate::sys::signals::reset();
    // Changing the user clears it, so it is set last. If the parent is gone already nobody will end us.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    if reader_is_gone(say) { Err(Errno::PIPE) } else { Ok(()) }
}

fn reader_is_gone(say: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec};
    let mut poll = [PollFd::new(say, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut poll, Some(&now)).is_ok() && poll[0].revents().contains(PollFlags::ERR)
}

/// Closes every descriptor from 3 on but `say`, which `execve` closes.
pub(in crate::sys) fn close_others(say: i32) -> Answer {
    let close_range = |first: i32, last: u32| {
        // SAFETY: takes three integers. What owns these descriptors is never used nor dropped after this step.
        first as u32 > last || unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0
    };
    if close_range(3, (say - 1) as u32) && close_range(say + 1, u32::MAX) {
        return Ok(());
    }
    // Refused by a filter around us: one by one, up to what may be open.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(1 << 20);
    for fd in (3..limit.min(1 << 20) as i32).filter(|fd| *fd != say) {
        // SAFETY: as above; a number that is no open descriptor is refused.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

fn last_errno() -> Errno {
    // SAFETY: the address of this thread's errno, as `libc`'s wrapper has just set it.
    Errno::from_raw_os_error(unsafe { *libc::__errno_location() })
}

fn answer(result: i32) -> Answer {
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}
