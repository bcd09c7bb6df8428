//! Signals: blocking them around `clone`, resetting them in a child, and hearing them while a child runs.
//!
//! What to do with a signal is decided above.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::libc;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, sigaction,
};

/// All signals are blocked in this thread while this lives.
pub(super) struct Blocked(SigSet);

impl Blocked {
    /// Blocks all that can be.
    pub(super) fn all() -> Self {
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
            .expect("a valid set is always taken");
        Blocked(before)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None).expect("a valid set is always taken");
    }
}

/// Gives every signal its default action and blocks none. For a child before `execve`: allocates nothing.
///
/// Asks the kernel itself, because the C library keeps two signals for its own use, and they would stay as they are.
pub(super) fn reset() {
    // The kernel's own form of an action: handler, flags, restorer, mask; all zero is the default one.
    static DEFAULT: [u64; 4] = [0; 4];
    static NONE: u64 = 0;
    let no_answer = std::ptr::null_mut::<libc::c_void>();
    for signal in 1..=64 {
        // SAFETY: the kernel reads the structure, which outlives the call; the two signals nobody may change are
        // refused, which is as it should be.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, &raw const DEFAULT, no_answer, size_of::<u64>())
        };
    }
    // SAFETY: the kernel reads one set of signals, which outlives the call.
    unsafe {
        let how = libc::SIG_SETMASK;
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const NONE, no_answer, size_of::<u64>());
    }
}

/// The signals that are passed on to a running command.
const HEARD: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// Where the handler writes: one pipe per listener.
static LISTENERS: [AtomicI32; 64] = [const { AtomicI32::new(-1) }; 64];

/// How many listen, and the actions there were before the first did.
static BEFORE: Mutex<(usize, Vec<(Signal, SigAction)>)> = Mutex::new((0, Vec::new()));

/// Hears the signals of the whole process while it lives; several may at once, and each hears all.
#[derive(Debug)]
pub(crate) struct Listener {
    read: OwnedFd,
    write: OwnedFd,
}

impl Listener {
    /// Starts to listen. The actions of the signals are put back when the last listener is dropped.
    ///
    /// Fails with `WouldBlock` while 64 others listen.
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::pipe::PipeFlags;
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        let fd = write.as_raw_fd();
        let taken = LISTENERS
            .iter()
            .any(|slot| slot.compare_exchange(-1, fd, Ordering::SeqCst, Ordering::SeqCst).is_ok());
        if !taken {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        before.0 += 1;
        if before.0 == 1 {
            let action = SigAction::new(SigHandler::Handler(hear), SaFlags::SA_RESTART, SigSet::empty());
            for signal in HEARD {
                // SAFETY: the handler does nothing but write to pipes, which is allowed in one.
                let old = unsafe { sigaction(signal, &action) }?;
                before.1.push((signal, old));
            }
        }
        Ok(Listener { read, write })
    }

    /// Readable when a signal has come.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// The next signal that came, by number.
    pub(crate) fn next(&self) -> Option<i32> {
        let mut byte = [0];
        match rustix::io::read(&self.read, &mut byte) {
            Ok(1) => Some(i32::from(byte[0])),
            _ => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        before.0 -= 1;
        if before.0 == 0 {
            for (signal, action) in before.1.drain(..) {
                // SAFETY: puts back an action that was in force before.
                let _ = unsafe { sigaction(signal, &action) };
            }
        }
        let fd = self.write.as_raw_fd();
        for slot in &LISTENERS {
            let _ = slot.compare_exchange(fd, -1, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

extern "C" fn hear(signal: i32) {
    // SAFETY: write(2) on pipes that do not block is allowed in a handler; errno is put back for what it interrupted.
    unsafe {
        let errno = libc::__errno_location();
        let kept = *errno;
        let byte = signal as u8;
        for slot in &LISTENERS {
            let fd = slot.load(Ordering::SeqCst);
            if fd >= 0 {
                libc::write(fd, (&raw const byte).cast(), 1);
            }
        }
        *errno = kept;
    }
}
