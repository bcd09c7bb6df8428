//! Record locks over whole files (`F_OFD_SETLK`), for files that other programs lock so: theirs are POSIX record locks
//! or open file description locks, which exclude each other. Locks among ourselves are `lock`'s.
//!
//! An open file description's lock goes with the handle; a POSIX one would be lost with any handle of the file.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::lock::Mode;

/// Takes the lock over all of `file` if it is free. The handle has to be open for writing to be locked alone.
pub(crate) fn attempt(file: &File, mode: Mode) -> io::Result<bool> {
    let kind = match mode {
        Mode::Shared => libc::F_RDLCK,
        Mode::Exclusive => libc::F_WRLCK,
    };
    // From the beginning, without end; the kernel wants the process to be 0.
    let whole = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
