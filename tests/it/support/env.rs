//! A store of its own for one story, and the `kiln` command on it with a clean environment.
//!
//! When the story ends well, `kiln check` must find nothing wrong with the store.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, User};

use super::needs::{Need, USER, needs};
use super::refusal::Refusal;

/// The search path of every command a story starts.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// No command of a story takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// A scratch directory with a store in it; gone when dropped.
pub struct Env {
    dir: tempfile::TempDir,
    user: Option<User>,
    refusal: Option<Refusal>,
    variables: Vec<(&'static str, String)>,
}

/// Gives this thread, and all that it starts, mounts of its own, once and if it may: a namespace that another story
/// makes is a copy of all mounts there are, and with ours in it our containers would rightly be taken for held.
fn keep_mounts_apart() {
    thread_local! {
        static APART: bool = {
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            let nothing = None::<&str>;
            unshare(CloneFlags::CLONE_NEWNS).is_ok() && mount(nothing, "/", nothing, private, nothing).is_ok()
        };
    }
    APART.with(|_| ());
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; 128 and the signal if one ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Env {
    /// An environment for whoever runs the tests.
    pub fn new() -> Self {
        keep_mounts_apart();
        let base = std::env::var_os("KILN_TEST_DIR").map(PathBuf::from).or_else(|| {
            let shm = PathBuf::from("/dev/shm");
            shm.is_dir().then_some(shm)
        });
        let base = base.unwrap_or_else(|| "/tmp".into());
        let dir = tempfile::Builder::new().prefix("kiln-it-").tempdir_in(base).expect("a scratch directory");
        let env = Env { dir, user: None, refusal: None, variables: Vec::new() };
        for below in ["bin", "as-buildah", "home", "tmp", "files"] {
            std::fs::create_dir(env.dir.path().join(below)).expect("a directory of the story");
        }
        std::fs::write(env.dir.path().join("home/registries.conf"), "").expect("an empty registries.conf");
        let binary = env!("CARGO_BIN_EXE_kiln");
        std::os::unix::fs::symlink(binary, env.dir.path().join("bin/kiln")).expect("a link to kiln");
        std::os::unix::fs::symlink("../bin/kiln", env.dir.path().join("as-buildah/buildah")).expect("a link");
        env
    }

    /// An environment in which commands run as a real ordinary user. `None`, and `test` on the list, if there is none.
    pub fn for_user(test: &str) -> Option<Self> {
        if !needs(test, &[Need::User]) {
            return None;
        }
        let mut env = Env::new();
        let user = User::from_name(USER).expect("the user is looked up").expect("the user is known");
        // The build directory need not be open to everyone.
        let copy = env.dir.path().join("bin/kiln");
        std::fs::remove_file(&copy).expect("the link goes");
        // By a process of its own: a child that another test starts meanwhile would hold our file open for writing, and
        // a program that is written to cannot be started.
        let copied =
            Command::new("cp").arg(env!("CARGO_BIN_EXE_kiln")).arg(&copy).status().expect("cp starts");
        assert!(copied.success(), "kiln is copied");
        for below in ["", "home", "tmp", "files"] {
            let path = env.dir.path().join(below);
            let owner = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
            std::os::unix::fs::chown(&path, owner.0, owner.1).expect("the user owns the scratch");
        }
        std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).expect("the user may run kiln");
        env.user = Some(user);
        Some(env)
    }

    /// Sets a variable for all that the story starts from now on.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.push((name, value.into()));
    }

    /// Refuses these system calls to all that the story starts from now on.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
    }

    /// Has every `kiln` of the story started by `strace` with these arguments, which may refuse calls by their number
    /// and to an ordinary user, too; the story's shell is root's then.
    pub fn trace(&mut self, arguments: &str) {
        let (kiln, real) = (self.dir.path().join("bin/kiln"), self.dir.path().join("bin/kiln.real"));
        std::fs::rename(&kiln, &real).expect("kiln gets another name");
        // The faster way of strace takes set-user-id programs their rights.
        let faster_or_user = match self.user.take() {
            Some(user) => format!("-u {}", user.name),
            None => "--seccomp-bpf".to_owned(),
        };
        // What a traced process starts is traced with it.
        let script = format!(
            "#!/bin/sh\n[ -z \"$TRACED\" ] || exec {real} \"$@\"\n\
             TRACED=1 exec strace -f -qqq -o /dev/null {arguments} {faster_or_user} {real} \"$@\"\n",
            real = real.display(),
        );
        std::fs::write(&kiln, script).expect("a script in its place");
        std::fs::set_permissions(&kiln, PermissionsExt::from_mode(0o755)).expect("it can be run");
    }

    /// A path below the story's own files; it need not exist.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join("files").join(below)
    }

    /// Where the store is.
    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// Writes one of the story's own files, with the directories above it.
    pub fn write(&self, below: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("directories");
        std::fs::write(&path, bytes).expect("a file of the story");
        path
    }

    /// A command in this environment, not started: working directory, variables and user are set.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let dir = self.dir.path();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", format!("{}:{PATH}", dir.join("bin").display()))
            .env("HOME", dir.join("home"))
            .env("TMPDIR", dir.join("tmp"))
            .env("KILN_ROOT", self.store())
            .env("KILN", dir.join("bin/kiln"))
            .env("LC_ALL", "C.UTF-8")
            // What the machine says of registries, and other tools' images on it, are not the story's.
            .env("KILN_PODMAN", "0")
            .env("CONTAINERS_REGISTRIES_CONF", dir.join("home/registries.conf"))
            .current_dir(dir.join("files"))
            .stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(user) = &self.user {
            // The standard library drops root's supplementary groups together with its id.
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
            command.env("USER", USER).env("LOGNAME", USER);
        }
        command
    }

    /// Runs `kiln` with `args`.
    pub fn kiln<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        let mut command = self.command(self.dir.path().join("bin/kiln"));
        self.finish(command.args(args))
    }

    /// Runs `kiln`, which must succeed, and returns its stdout without the last line end.
    pub fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let args: Vec<_> = args.into_iter().collect();
        self.kiln(&args).expect_ok(&format!("kiln {:?}", words(&args)))
    }

    /// Runs `kiln`, which must end with `code`, and returns its stderr.
    pub fn fails<S: AsRef<OsStr>>(&self, code: i32, args: impl IntoIterator<Item = S>) -> String {
        let args: Vec<_> = args.into_iter().collect();
        let outcome = self.kiln(&args);
        assert_eq!(outcome.code, code, "kiln {:?}: {outcome:#?}", words(&args));
        outcome.stderr
    }

    /// Runs a shell script, as people type it; `kiln` is on its path.
    pub fn shell(&self, script: &str) -> Outcome {
        self.finish(self.command("/bin/sh").args(["-euc", script]))
    }

    /// As [`Env::shell`], but `buildah` on its path is kiln under that name.
    pub fn shell_as_buildah(&self, script: &str) -> Outcome {
        let path = format!("{}:{PATH}", self.dir.path().join("as-buildah").display());
        self.finish(self.command("/bin/sh").env("PATH", path).args(["-euc", script]))
    }

    /// Runs any other program, which must succeed, and returns its stdout without the last line end.
    pub fn run<S: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = S>) -> String {
        let args: Vec<_> = args.into_iter().collect();
        self.finish(self.command(program).args(&args)).expect_ok(&format!("{program} {:?}", words(&args)))
    }

    fn finish(&self, command: &mut Command) -> Outcome {
        let start = |command: &mut Command| match &self.refusal {
            Some(refusal) => refusal.spawn(command),
            None => command.spawn(),
        };
        finish_started(command, start)
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        let check = (!std::thread::panicking() && self.store().exists()).then(|| self.kiln(["check"]));
        detach_below(self.dir.path());
        if let Some(check) = check {
            assert_eq!(check.code, 0, "the store is not clean at the end: {check:#?}");
        }
    }
}

impl Outcome {
    /// The stdout without its last line end; panics with everything said unless the command succeeded.
    pub fn expect_ok(self, what: &str) -> String {
        assert_eq!(self.code, 0, "{what}: {self:#?}");
        self.stdout.strip_suffix('\n').unwrap_or(&self.stdout).to_owned()
    }
}

impl Outcome {
    /// Panics with everything said unless the command ended so.
    pub fn expect_code(self, code: i32) {
        assert_eq!(self.code, code, "{self:#?}");
    }
}

fn words<S: AsRef<OsStr>>(args: &[S]) -> Vec<&OsStr> {
    args.iter().map(AsRef::as_ref).collect()
}

/// Runs `command` to its end; one that hangs is killed, and the test fails.
pub fn finish(command: &mut Command) -> Outcome {
    finish_started(command, Command::spawn)
}

fn finish_started(
    command: &mut Command,
    start: impl FnOnce(&mut Command) -> std::io::Result<Child>,
) -> Outcome {
    let child = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = receive.recv_timeout(PATIENCE) else {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)
            .expect("the hanging command is killed");
        panic!("{command:?} hangs");
    };
    outcome(output.expect("the command is waited for"))
}

fn outcome(output: Output) -> Outcome {
    use std::os::unix::process::ExitStatusExt;
    let code = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
    Outcome {
        code: code.expect("it ended by an exit or a signal"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Detaches what a story left mounted below `dir`, so that the removal of its directory cannot reach into it.
pub fn detach_below(dir: &Path) {
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    let mut points: Vec<_> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    points.reverse();
    for point in points.into_iter().map(Path::new).filter(|point| point.starts_with(dir)) {
        let _ = nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH);
    }
}
