//! Threads and programs under a filter that answers `EPERM` to `clone3`.
//!
//! The C library starts both by `clone3` and takes only `ENOSYS` for "there is none; use the older call". With a filter
//! of our own that says so it does, and so does what runs in a container. Which filters do that: those of container
//! engines older than the call.

use std::sync::OnceLock;

use nix::libc;
use rustix::io::Errno;

use super::{bpf, spawn};

/// Whether `clone3` is answered with `EPERM`. Asked once, with arguments the kernel refuses.
pub(super) fn are_refused() -> bool {
    static REFUSED: OnceLock<bool> = OnceLock::new();
    *REFUSED.get_or_init(|| {
        // SAFETY: a structure of size nought is refused before it is looked at.
        let answer = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<libc::clone_args>(), 0) };
        answer < 0 && Errno::from_io_error(&std::io::Error::last_os_error()) == Some(Errno::PERM)
    })
}

/// Makes threads possible where they are not. Needs the right to install a filter: root's, or a user namespace's.
///
/// What cannot be helped shows when the first thread is started.
pub(crate) fn allow() {
    if are_refused() {
        let number = u32::try_from(libc::SYS_clone3).expect("a small number");
        // The same number in every table of calls: it is newer than their unification.
        let filter = vec![
            bpf::load(bpf::NUMBER),
            bpf::equal(number, 0, 1),
            bpf::answer(bpf::errno(libc::ENOSYS as u32)),
            bpf::answer(bpf::ALLOW),
        ];
        let _ = spawn::confine(&filter);
    }
}
