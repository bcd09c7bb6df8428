//! Programs that join a command's own network to the host's, in user mode: how one is waited for, and ended.
//!
//! Which program, and in what words it is asked, is in [`pasta`](super::pasta) and [`slirp`](super::slirp).

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::error::{Context, Error, Kind, Result};
use crate::host::probe::Knob;
use crate::sys::companion;

/// It takes a few hundredths of a second.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// The most that is kept of what it says.
const MAX_WORDS: u64 = 4096;

const SENTENCE: &str = "cannot make a network for the command";

/// A running program; it ends with this value.
#[derive(Debug)]
pub(super) struct Uplink {
    name: &'static str,
    child: Child,
}

/// The program of this name in `helpers`, or else on the usual path.
pub(super) fn program(name: &str, helpers: &[PathBuf]) -> Command {
    let found = helpers.iter().map(|dir| dir.join(name)).find(|path| path.is_file());
    Command::new(found.unwrap_or_else(|| name.into()))
}

/// The network namespace of a process, as the program's standard input: it has given up the right to look into other
/// processes before it looks for the namespace.
pub(super) fn network_of(pid: Pid) -> Result<File> {
    let path = format!("/proc/{}/ns/net", pid.as_raw_nonzero());
    File::open(Path::new(&path)).cannot("open the network of", "the command")
}

/// Whether this process may use the device that such programs work with.
pub(super) fn has_device() -> bool {
    File::options().read(true).write(true).open("/dev/net/tun").is_ok()
}

impl Uplink {
    /// Starts the program, and waits until `ready` has something to read.
    pub(super) fn start(name: &'static str, mut command: Command, ready: OwnedFd) -> Result<Self> {
        command.stderr(Stdio::piped()).current_dir("/");
        let child = companion::start(&mut command).map_err(|cause| {
            let because = match cause.kind() {
                std::io::ErrorKind::NotFound => format!("there is no program `{name}`"),
                _ => cause.to_string(),
            };
            Error::new(Kind::NotFound, SENTENCE)
                .because(because)
                .hint(format!("{}, or use --network host or none", Knob::NetworkProgram.fix()))
        })?;
        // Ours would keep the other end of a pipe open, and its end unheard.
        drop(command);
        let mut uplink = Uplink { name, child };
        uplink.wait(&ready)?;
        Ok(uplink)
    }

    /// Whether it has not ended by itself.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Readable when it has ended.
    pub(super) fn ended(&self) -> Result<OwnedFd> {
        let pid = Pid::from_child(&self.child);
        rustix::process::pidfd_open(pid, PidfdFlags::empty()).cannot("watch", self.name)
    }

    fn wait(&mut self, ready: &OwnedFd) -> Result<()> {
        let ended = self.ended()?;
        let mut polls = [PollFd::new(ready, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        loop {
            match rustix::event::poll(&mut polls, Some(&PATIENCE)) {
                Err(rustix::io::Errno::INTR) => {}
                polled => {
                    polled.cannot("wait for", self.name)?;
                    break;
                }
            }
        }
        if polls[0].revents().contains(PollFlags::IN) {
            return Ok(());
        }
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(words) = self.child.stderr.take() {
            let _ = words.take(MAX_WORDS).read_to_string(&mut said);
        }
        Err(refusal(self.name, &said))
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it said, less its remarks on the system log, and what helps.
fn refusal(name: &str, said: &str) -> Error {
    let is_noise =
        |line: &&str| line.is_empty() || line.ends_with("to syslog") || line.starts_with("Don't run as root");
    // How it is used is of no use to someone who does not call it.
    let lines =
        said.lines().map(str::trim).take_while(|line| !line.to_ascii_lowercase().starts_with("usage:"));
    let words: Vec<&str> = lines.filter(|line| !is_noise(line)).collect();
    let words = if words.is_empty() { "it did not say why".to_owned() } else { words.join("; ") };
    let hint = match has_device() {
        true => "use --network host or none".to_owned(),
        false => format!("{}, or use --network host or none", Knob::TunDevice.fix()),
    };
    let words = words.strip_prefix(name).and_then(|words| words.strip_prefix(": ")).unwrap_or(&words);
    Error::new(Kind::Denied, SENTENCE).because(format!("{name}: {words}")).hint(hint)
}

#[cfg(test)]
mod tests;
