//! A network of the command's own: the program `pasta` (package passt) joins it to the host's, in user mode.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags};

use crate::error::{Context, Error, Kind, Result};
use crate::sys::companion;

/// Where a command on such a network asks for names; pasta passes that on to the host's own name server.
pub(crate) const NAME_SERVER: &str = "169.254.1.1";

/// It takes a few hundredths of a second.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// The most that is kept of what it says.
const MAX_WORDS: u64 = 4096;

/// A running helper; it ends with this value.
#[derive(Debug)]
pub(super) struct Pasta(Child);

impl Pasta {
    /// Starts it for the network namespace of the process `pid`, and waits until the network is up.
    ///
    /// It is looked for in `helpers`, then on the usual path. `options` are its own, added to the usual ones;
    /// `--map-gw` among them leaves `--no-map-gw` away, as in Buildah.
    pub(super) fn start(pid: Pid, options: &[String], scratch: &Path, helpers: &[PathBuf]) -> Result<Self> {
        let path = format!("/proc/{}/ns/net", pid.as_raw_nonzero());
        let namespace = File::open(&path).cannot("open the network of", "the command")?;
        // It writes its number there when it is ready.
        let ready = scratch.join("pasta.ready");
        rustix::fs::mknodat(CWD, &ready, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .cannot("make", ready.display())?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let reader = rustix::fs::open(&ready, flags, Mode::empty()).cannot("open", ready.display())?;
        let program = helpers.iter().map(|dir| dir.join("pasta")).find(|path| path.is_file());
        let mut command = Command::new(program.unwrap_or_else(|| "pasta".into()));
        command.args([
            "--foreground",
            "--quiet",
            "--config-net",
            "-t",
            "none",
            "-u",
            "none",
            "-T",
            "none",
            "-U",
            "none",
        ]);
        command.args(["--runas", "0", "--dns-forward", NAME_SERVER]);
        if !options.iter().any(|option| option == "--map-gw") {
            command.arg("--no-map-gw");
        }
        command.args(options.iter().filter(|option| *option != "--map-gw"));
        // By a handle: it gives up the right to look into other processes before it looks for the namespace.
        command.args(["--netns-only", "--netns", "/proc/self/fd/0", "--pid"]).arg(&ready);
        command.stdin(namespace).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/");
        let child = companion::start(&mut command).map_err(|cause| {
            let error = Error::new(Kind::NotFound, "cannot make a network for the command").because(
                match cause.kind() {
                    std::io::ErrorKind::NotFound => "there is no program `pasta`".to_owned(),
                    _ => cause.to_string(),
                },
            );
            error.hint("install it: `apt install passt`, or use --network host or none")
        })?;
        let mut pasta = Pasta(child);
        pasta.wait(reader)?;
        Ok(pasta)
    }

    fn wait(&mut self, reader: OwnedFd) -> Result<()> {
        let pid = Pid::from_child(&self.0);
        let ended = rustix::process::pidfd_open(pid, PidfdFlags::empty()).cannot("watch", "pasta")?;
        let mut polls = [PollFd::new(&reader, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        loop {
            match rustix::event::poll(&mut polls, Some(&PATIENCE)) {
                Err(rustix::io::Errno::INTR) => {}
                polled => {
                    polled.cannot("wait for", "pasta")?;
                    break;
                }
            }
        }
        if polls[0].revents().contains(PollFlags::IN) {
            return Ok(());
        }
        let _ = self.0.kill();
        let mut said = String::new();
        if let Some(words) = self.0.stderr.take() {
            let _ = words.take(MAX_WORDS).read_to_string(&mut said);
        }
        Err(refusal(&said))
    }
}

impl Drop for Pasta {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it said, less its remarks on the system log, and what helps.
fn refusal(said: &str) -> Error {
    let words: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.ends_with("to syslog") && !line.starts_with("Don't run as root")
        })
        .collect();
    let words = if words.is_empty() { "it did not say why".to_owned() } else { words.join("; ") };
    let denied = File::options().read(true).write(true).open("/dev/net/tun").is_err();
    let hint = match denied {
        true => "allow network devices: `chmod 666 /dev/net/tun`, or use --network host or none",
        false => "use --network host or none",
    };
    Error::new(Kind::Denied, "cannot make a network for the command")
        .because(format!("pasta: {}", words.strip_prefix("pasta: ").unwrap_or(&words)))
        .hint(hint)
}

#[cfg(test)]
mod tests;
