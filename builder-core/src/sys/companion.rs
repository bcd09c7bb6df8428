//! Programs of the host that help a run, such as a network helper: started so that they do not outlive us.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::Signal;

/// Starts the program. It is killed when the thread that called this ends.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    // SAFETY: the closure makes one system call; it neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    command.spawn()
}
