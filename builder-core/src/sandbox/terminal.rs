//! `--tty`: a terminal of the container's own, joined to ours.
//!
//! The pair is made in the container's `/dev/pts`, so that the command finds its terminal by name. Ours, where it is
//! one, is raw meanwhile: every key is the container's business.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios};

use crate::error::{Context, Result};

/// Both ends of a new terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    outer: OwnedFd,
    inner: OwnedFd,
}

impl Terminal {
    /// Opens a new terminal of the devpts mount `terminals`, which then belongs to `uid`.
    pub(super) fn open(terminals: BorrowedFd<'_>, uid: u32) -> Result<Self> {
        let open = || -> io::Result<Self> {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            let outer = rustix::fs::openat(terminals, "ptmx", flags, Mode::empty())?;
            rustix::pty::unlockpt(&outer)?;
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            let inner = rustix::pty::ioctl_tiocgptpeer(&outer, flags)?;
            if uid != 0 {
                rustix::fs::fchown(&inner, Some(Uid::from_raw(uid)), None::<Gid>)?;
            }
            let terminal = Terminal { outer, inner };
            copy_size(terminal.outer.as_fd());
            Ok(terminal)
        };
        open().cannot("make", "a terminal")
    }

    /// The container's end.
    pub(super) fn inner(&self) -> Result<OwnedFd> {
        self.inner.try_clone().cannot("open", "the terminal")
    }

    /// Begins to pass bytes between our end and standard input and output, until the relay is dropped.
    pub(super) fn relay(self) -> Result<Relay> {
        let before = match rustix::termios::tcgetattr(stdin()) {
            Ok(before) => {
                let mut raw = before.clone();
                raw.make_raw();
                rustix::termios::tcsetattr(stdin(), OptionalActions::Drain, &raw)
                    .cannot("set up", "the terminal")?;
                Some(before)
            }
            Err(_) => None,
        };
        Ok(Relay { outer: self.outer, before, input: true, output: true })
    }
}

fn copy_size(to: BorrowedFd<'_>) {
    if let Ok(size) = rustix::termios::tcgetwinsize(stdout()) {
        // A terminal that does not take a size works without.
        let _ = rustix::termios::tcsetwinsize(to, size);
    }
}

/// The end of file character, as new terminals have it.
const END_OF_FILE: u8 = 4;

/// A terminal being joined to ours.
#[derive(Debug)]
pub(super) struct Relay {
    outer: OwnedFd,
    /// How our terminal was, if it is one.
    before: Option<Termios>,
    /// Whether there may be more to pass in.
    input: bool,
    /// Whether there may be more to pass out.
    output: bool,
}

impl Relay {
    /// Adds what [`Relay::pass`] wants to hear of, in its order.
    pub(super) fn watch<'a>(&'a self, polls: &mut Vec<PollFd<'a>>) {
        let or_none = |wanted: bool| if wanted { PollFlags::IN } else { PollFlags::empty() };
        if self.output {
            polls.push(PollFd::new(&self.outer, or_none(true)));
            if self.input {
                polls.push(PollFd::from_borrowed_fd(stdin(), or_none(true)));
            }
        }
    }

    /// Passes on what there is, given the events of what [`Relay::watch`] added.
    pub(super) fn pass(&mut self, ready: &[PollFlags]) -> io::Result<()> {
        if ready.first().is_some_and(|events| !events.is_empty()) {
            self.output = copy(self.outer.as_fd(), stdout())?;
        }
        if ready.get(1).is_some_and(|events| !events.is_empty()) && self.output {
            self.input = copy(stdin(), self.outer.as_fd())?;
            if !self.input {
                write_all(self.outer.as_fd(), &[END_OF_FILE])?;
            }
        }
        Ok(())
    }

    /// Our terminal has another size.
    pub(super) fn resize(&self) {
        copy_size(self.outer.as_fd());
    }

    /// The command has ended: passes on what it wrote last.
    pub(super) fn finish(&mut self) {
        // The end of the container closes the other end, after which reading fails; what is lost now is lost.
        while self.output {
            self.output = copy(self.outer.as_fd(), stdout()).unwrap_or(false);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(stdin(), OptionalActions::Drain, before);
        }
    }
}

/// Copies one piece; `false` at the end.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<bool> {
    let mut piece = [0; 4096];
    match rustix::io::read(from, &mut piece) {
        // The terminal says so when nobody has the other end open.
        Ok(0) | Err(Errno::IO) => Ok(false),
        Ok(count) => write_all(to, &piece[..count]).map(|()| true),
        Err(Errno::INTR | Errno::AGAIN) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn write_all(to: BorrowedFd<'_>, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match rustix::io::write(to, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut poll = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
                let _ = rustix::event::poll(&mut poll, None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
