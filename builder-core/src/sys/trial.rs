//! Trying something that would change this process, in a child that ends with it.

use std::io;

use nix::sched::CloneFlags;
use nix::sys::wait::WaitStatus;
use nix::unistd::ForkResult;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};

/// Does `work` in a child; the answer is how it ended, by error number.
///
/// The caller has no other threads, or `work` does nothing but system calls.
pub(crate) fn in_child(work: impl FnOnce() -> Result<(), Errno>) -> io::Result<Result<(), Errno>> {
    // SAFETY: see the contract of this function: no lock can be held by a thread that is not there.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            let code = work().map_or_else(Errno::raw_os_error, |()| 0);
            // SAFETY: ends the child at once, without running the parent's exit handlers a second time.
            unsafe { nix::libc::_exit(code) }
        }
        ForkResult::Parent { child } => match nix::sys::wait::waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(Ok(())),
            WaitStatus::Exited(_, code) => Ok(Err(Errno::from_raw_os_error(code))),
            ended => Err(io::Error::other(format!("the trial ended with {ended:?}"))),
        },
    }
}

/// A user namespace, with the right to mount in it: security modules may grant the one without the other.
pub(crate) fn user_namespace() -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// A `proc` of a process namespace of its own. A host that hides parts of its own allows none.
pub(crate) fn fresh_proc() -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID)?;
    rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    // Only a child is in the new process namespace.
    let mounted = in_child(|| rustix::mount::mount(c"proc", c"/proc", c"proc", MountFlags::empty(), None));
    mounted.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?
}

/// A filter of system calls.
pub(crate) fn filter() -> Result<(), Errno> {
    use super::bpf;
    rustix::thread::set_no_new_privs(true)?;
    let installed = super::spawn::confine(&vec![bpf::load(bpf::NUMBER), bpf::answer(bpf::ALLOW)]);
    installed.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn unshare(flags: CloneFlags) -> Result<(), Errno> {
    nix::sched::unshare(flags).map_err(|errno| Errno::from_raw_os_error(errno as i32))
}

/// Which of the newer calls that Kiln uses are refused here, by name. Each is made with arguments that change nothing.
pub(crate) fn refused_calls() -> Vec<&'static str> {
    use nix::libc;
    let calls = [
        ("openat2", libc::SYS_openat2),
        ("clone3", libc::SYS_clone3),
        ("fsopen", libc::SYS_fsopen),
        ("fsconfig", libc::SYS_fsconfig),
        ("fsmount", libc::SYS_fsmount),
        ("open_tree", libc::SYS_open_tree),
        ("move_mount", libc::SYS_move_mount),
        ("mount_setattr", libc::SYS_mount_setattr),
        ("close_range", libc::SYS_close_range),
    ];
    let is_refused = |number: libc::c_long| {
        // SAFETY: all arguments are invalid: no open file, no memory, flags that do not exist. Each call fails before
        // it does anything.
        let answer = unsafe { libc::syscall(number, -1_i64, 0_i64, -1_i64, 0_i64, -1_i64) };
        let errno = Errno::from_io_error(&io::Error::last_os_error());
        answer < 0 && matches!(errno, Some(Errno::NOSYS | Errno::PERM))
    };
    calls.into_iter().filter(|(_, number)| is_refused(*number)).map(|(name, _)| name).collect()
}

/// A mount of the directory `dir` whose owners are those of another user namespace.
pub(crate) fn idmapped_mount(dir: &std::path::Path) -> io::Result<()> {
    use super::userns::{IdRange, make};
    let tree = super::mount::clone_of(dir)?;
    let map = [IdRange { inside: 0, outside: 1, length: 1 }];
    let namespace = make(&map, &map)?;
    Ok(super::mount_attr::map_ids(&tree, std::os::fd::AsFd::as_fd(&namespace))?)
}
