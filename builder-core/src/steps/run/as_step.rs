//! `run` as a step of a cached container: what it prints is kept, and what it reads decides whether it can be.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::event::Reporter;
use crate::oci::{Digest, Hasher};
use crate::sandbox::Exit;
use crate::steps::Shown;
use crate::steps::container;
use crate::steps::key::{self, Definition};
use crate::steps::run::Run;
use crate::steps::run::in_container::{Opened, settings};
use crate::steps::sources::Sources;
use crate::steps::timeline::{self, Asked, Performed};
use crate::store::steps::MAX_OUTPUT;
use crate::store::{ContainerGuard, Printed, Work};

/// What a run returns as it is recorded: its exit code, and how far it moved a file on its standard input.
type Returned = (u8, i64);

impl Run {
    /// Runs the command in a held cached container, or takes what it did before.
    pub(super) fn perform_as_step(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        guard: &mut ContainerGuard,
        sources: &Sources,
        shown: &Shown,
    ) -> Result<Exit> {
        let draft = container::draft(builder, &guard.record)?;
        let line = self.line(&draft.config);
        let config = settings(&guard.record, draft.config.clone());
        let mut definition = key::define_run(builder, work, sources, self, &config, &draft)?;
        let input = Input::look(self.terminal)?;
        input.define(&mut definition);
        let perform = |guard: &mut ContainerGuard| {
            let opened = Opened::new(builder, work, guard, &self.settings)?;
            let (exit, printed, never) =
                self.perform_heard(builder, work, opened, sources, &config, &input)?;
            let moved = input.moved()?;
            // What a signal ended was ended by somebody, not by itself.
            Ok(Performed { value: (exit.code(), moved), printed, failed: exit.code(), never })
        };
        let log = |(code, _): &Returned| {
            let shown = shown.logged(|| line.clone());
            shown.filter(|_| *code == 0).into_iter().collect()
        };
        let verb = serde_json::to_value(self).ok();
        let (code, moved): Returned =
            timeline::step(builder, guard, Asked { definition, perform, log, work, verb })?;
        input.move_on(moved)?;
        Ok(Exit::Code(code))
    }

    /// Runs the command and keeps what it prints; also why that may not be recorded, if it may not.
    fn perform_heard(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        opened: Opened,
        sources: &Sources,
        config: &super::RunConfig,
        input: &Input,
    ) -> Result<(Exit, Printed, Option<String>)> {
        if self.terminal {
            let exit = self.perform_opened(builder, work, opened, sources, config, [None, None, None])?;
            return Ok((exit, Printed::default(), None));
        }
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).cannot("make", "a pipe");
        let ((out, to_out), (err, to_err)) = (pipe()?, pipe()?);
        let streams = [input.instead()?, Some(to_out), Some(to_err)];
        std::thread::scope(|scope| {
            let hearing = scope.spawn(|| hear([out, err], builder.reporter()));
            let exit = self.perform_opened(builder, work, opened, sources, config, streams);
            let (printed, never) = hearing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((exit?, printed, never))
        })
    }
}

/// Passes on what comes out of two pipes until both end, and keeps it.
fn hear(pipes: [OwnedFd; 2], reporter: &dyn Reporter) -> (Printed, Option<String>) {
    let mut pipes = pipes.map(Some);
    let mut printed = Printed::default();
    let mut never = None;
    let mut buffer = vec![0; 64 * 1024];
    while pipes.iter().any(Option::is_some) {
        let ready: Vec<usize> = {
            let open: Vec<usize> = (0..2).filter(|at| pipes[*at].is_some()).collect();
            let mut polls: Vec<PollFd<'_>> =
                pipes.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
            let _ = rustix::event::poll(&mut polls, None);
            open.into_iter()
                .zip(&polls)
                .filter(|(_, poll)| !poll.revents().is_empty())
                .map(|(at, _)| at)
                .collect()
        };
        for at in ready {
            let Some(pipe) = &pipes[at] else { continue };
            let count = match rustix::io::read(pipe, &mut buffer) {
                Err(Errno::INTR | Errno::AGAIN) => continue,
                read => read.unwrap_or_default(),
            };
            if count == 0 {
                pipes[at] = None;
                continue;
            }
            if printed.len() + count <= MAX_OUTPUT {
                printed.push(at == 1, &buffer[..count]);
            } else {
                never.get_or_insert_with(|| "it printed more than 16 MiB".to_owned());
            }
            if !reporter.output(at == 1, &buffer[..count]) {
                // As with a pipe of its own, the command is told when it next writes.
                pipes[at] = None;
                never.get_or_insert_with(|| "nobody read all it printed".to_owned());
            }
        }
    }
    (printed, never)
}

/// What our standard input is, for a step. It is never read ahead: a script may be on it.
enum Input {
    /// Nothing is to be had from it.
    Empty,
    /// A file, with this much left.
    File {
        /// The digest of that.
        digest: Digest,
        /// How many bytes.
        left: u64,
        /// Where it begins.
        start: u64,
    },
    /// Something whose content cannot be known.
    Unknown(&'static str),
}

impl Input {
    /// Looks at it. A terminal is only given to a run that asked for one; others have no input then.
    fn look(terminal: bool) -> Result<Self> {
        let stdin = rustix::stdio::stdin();
        let Ok(stat) = rustix::fs::fstat(stdin) else { return Ok(Input::Empty) };
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let start = rustix::fs::tell(stdin).cannot("read", "standard input")?;
                let (digest, left) = remaining(stdin, start).cannot("read", "standard input")?;
                Input::File { digest, left, start }
            }
            FileType::Fifo => Input::Unknown("a pipe"),
            FileType::Socket => Input::Unknown("a socket"),
            FileType::CharacterDevice if rustix::termios::isatty(stdin) && !terminal => Input::Empty,
            FileType::CharacterDevice if is_null(&stat) => Input::Empty,
            _ => Input::Unknown("a device"),
        })
    }

    /// Puts it into the key.
    fn define(&self, definition: &mut Definition) {
        match self {
            Input::Empty => {}
            Input::File { digest, left, .. } => {
                definition.field("standard input", format!("{left} {digest}"));
            }
            Input::Unknown(what) => {
                definition.refuse(format!("its standard input is {what}"), Some("add </dev/null"));
            }
        }
    }

    /// What the command gets in its place.
    fn instead(&self) -> Result<Option<OwnedFd>> {
        match self {
            Input::Empty => {
                let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
                null.map(Some).cannot("open", "/dev/null")
            }
            Input::File { .. } | Input::Unknown(_) => Ok(None),
        }
    }

    /// How far the file was moved since it was looked at.
    fn moved(&self) -> Result<i64> {
        let Input::File { start, .. } = self else { return Ok(0) };
        let now = rustix::fs::tell(rustix::stdio::stdin()).cannot("read", "standard input")?;
        Ok(now.cast_signed() - start.cast_signed())
    }

    /// Moves the file as the recorded run did.
    fn move_on(&self, moved: i64) -> Result<()> {
        let Input::File { start, .. } = self else { return Ok(()) };
        let to = SeekFrom::Start(start.saturating_add_signed(moved));
        rustix::fs::seek(rustix::stdio::stdin(), to).map(drop).cannot("move in", "standard input")
    }
}

/// The digest and the number of the bytes from `at` on; leaves the file where it is.
fn remaining(file: BorrowedFd<'_>, start: u64) -> std::io::Result<(Digest, u64)> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 256 * 1024];
    let mut at = start;
    loop {
        match rustix::io::pread(file, &mut buffer, at) {
            Err(Errno::INTR) => {}
            count => match count? {
                0 => return Ok((hasher.finish(), at - start)),
                count => {
                    hasher.update(&buffer[..count]);
                    at += count as u64;
                }
            },
        }
    }
}

fn is_null(stat: &rustix::fs::Stat) -> bool {
    // The numbers of /dev/null; see null(4).
    (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == (1, 3)
}
