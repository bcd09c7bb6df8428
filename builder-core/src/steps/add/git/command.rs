//! Running `git` with settings of our own and a limit of time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::error::{Context, Error, Kind, Result};
use crate::steps::add::Fetch;

/// As much as is taken of what a command says, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// How often is looked whether a command has ended.
const TICK: Duration = Duration::from_millis(10);

/// Settings that no repository and no user may change.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.protectNTFS=false",
    "protocol.allow=never",
    "protocol.git.allow=always",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "submodule.recurse=false",
    "credential.helper=",
    "gc.auto=0",
    "advice.detachedHead=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];

/// Variables by which the user's `git` could be told something else.
const UNSET: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_EXTERNAL_DIFF",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
    "GIT_SSH",
    "GIT_PROXY_COMMAND",
    "GIT_ALLOW_PROTOCOL",
    "GIT_PROTOCOL_FROM_USER",
    "GIT_TRACE",
];

/// How `git` is started: how hosts are reached by SSH is for whoever calls to say, for keys are theirs. What is asked
/// of a person is not answered.
const START: &str =
    "umask 022; : \"${GIT_SSH_COMMAND:=ssh -o BatchMode=yes}\"; export GIT_SSH_COMMAND; exec git \"$@\"";

/// One repository's directory.
pub(super) struct Git<'a> {
    pub dir: &'a Path,
    pub how: &'a Fetch,
}

impl Git<'_> {
    /// Runs `git` with `args` and returns what it printed.
    pub(super) fn run<const N: usize>(&self, args: [&str; N]) -> Result<String> {
        let mut command = self.command(&args);
        let (mut out, mut talk) = (self.scratch("out")?, self.scratch("talk")?);
        let both = (out.try_clone().cannot("run", "git")?, talk.try_clone().cannot("run", "git")?);
        let child = command.stdin(Stdio::null()).stdout(both.0).stderr(both.1).spawn();
        let mut child = child.map_err(|cause| {
            let kind = if cause.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Io };
            Error::new(kind, "cannot start `git`")
                .because(cause)
                .hint("install git, with which repositories are fetched")
        })?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().cannot("wait for", "git")? {
                break status;
            }
            if begun.elapsed() > self.how.patience {
                // The whole group: git has others do the work.
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let _ = group.map(|group| rustix::process::kill_process_group(group, Signal::KILL));
                let _ = child.wait();
                return Err(Error::new(Kind::Denied, "cannot fetch the repository")
                    .because(format!("it takes longer than {} s", self.how.patience.as_secs())));
            }
            std::thread::sleep(TICK);
        };
        if status.success() {
            return text(&mut out);
        }
        let said = text(&mut talk)?;
        let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let words = args.iter().take_while(|word| !word.starts_with('-')).take(2).copied();
        let words: Vec<&str> = words.collect();
        Err(Error::new(Kind::Io, format!("cannot run `git {}`", words.join(" ")))
            .because(if said.is_empty() { status.to_string() } else { said.join("; ") }))
    }

    fn command(&self, args: &[&str]) -> Command {
        // Files must not depend on the umask of whoever calls.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", START, "git"]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if self.how.tls.unchecked {
            command.args(["-c", "http.sslVerify=false"]);
        }
        command.args(args).current_dir(self.dir).process_group(0);
        for name in UNSET {
            command.env_remove(name);
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.dir.parent().unwrap_or(self.dir))
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("SSH_ASKPASS", "/bin/false")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("LC_ALL", "C");
        command
    }

    /// A file beside the repository, without a name once it is open: a pipe would have to be read meanwhile.
    fn scratch(&self, what: &str) -> Result<File> {
        let path = self.dir.with_extension(what);
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.cannot("make", path.display())?;
        std::fs::remove_file(&path).cannot("remove", path.display())?;
        Ok(file)
    }
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).cannot("read", "what git said")?;
    file.take(MAX_OUTPUT).read_to_end(&mut bytes).cannot("read", "what git said")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
