//! A Docker daemon of the tests' own: its socket, its images and its containerd are in a directory that goes with it.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::env::{PATH, detach_below, finish};
use super::needs::{Need, needs, not_run};

/// No daemon takes longer to begin, unless it cannot.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that runs. It ends when dropped.
pub struct Dockerd {
    dir: tempfile::TempDir,
    child: Child,
}

impl Dockerd {
    /// Starts one. `None`, and `test` on the list, where there is none or it cannot run.
    pub fn start(test: &str) -> Option<Dockerd> {
        Dockerd::start_with(test, &[])
    }

    /// As [`Dockerd::start`], with more words on its command line.
    pub fn start_with(test: &str, more: &[String]) -> Option<Dockerd> {
        if !needs(test, &[Need::Root, Need::Program("dockerd"), Need::Program("docker")]) {
            return None;
        }
        let base = if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" };
        let dir = tempfile::Builder::new().prefix("kiln-dockerd-").tempdir_in(base).expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let log = || File::options().append(true).create(true).open(at("log")).expect("a log");
        let mut command = Command::new("dockerd");
        command
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--host"])
            .arg(format!("unix://{}", at("socket")));
        for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(flag).arg(at(name));
        }
        command.args(more);
        command.env_clear().env("PATH", PATH).stdin(Stdio::null()).stdout(log()).stderr(log());
        let mut dockerd = Dockerd { child: command.spawn().expect("dockerd starts"), dir };
        let began = Instant::now();
        while dockerd.docker(["version"]).code != 0 {
            let ended = dockerd.child.try_wait().expect("it can be asked").is_some();
            if ended || began.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(dockerd.dir.path().join("log")).unwrap_or_default();
                let why = log.lines().rfind(|line| line.contains("fail")).unwrap_or("it does not answer");
                not_run(
                    test,
                    &format!("dockerd does not run here: {}", why.chars().take(200).collect::<String>()),
                );
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(dockerd)
    }

    /// Where it listens, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("socket").display())
    }

    /// Lets everybody talk to it.
    pub fn open_to_all(&self) {
        use std::os::unix::fs::PermissionsExt;
        for (path, mode) in [(self.dir.path().to_owned(), 0o755), (self.dir.path().join("socket"), 0o666)] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is ours");
        }
    }

    /// Runs Docker's own client.
    pub fn docker<const N: usize>(&self, args: [&str; N]) -> super::env::Outcome {
        let mut command = Command::new("docker");
        command.env_clear().env("PATH", PATH).env("DOCKER_HOST", self.host()).env("HOME", self.dir.path());
        finish(command.args(args).stdin(Stdio::null()))
    }

    /// As [`Dockerd::docker`], which must succeed; its stdout without the last line end.
    pub fn ok<const N: usize>(&self, args: [&str; N]) -> String {
        self.docker(args).expect_ok(&format!("docker {args:?}"))
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        use nix::sys::signal::{Signal, kill};
        // It ends its containerd only if it is asked to end.
        let _ = kill(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
        detach_below(self.dir.path());
    }
}
