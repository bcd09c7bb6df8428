//! Runs `kiln` under ptrace and kills it at one chosen system call that writes, before the call is made.
//!
//! What is counted: every call of kiln's own processes and threads that changes a file system, a mount or a lock.
//! The sandboxed command is followed, so that it can be killed as well, but its calls are not counted. What a story
//! makes of the state that is left is not here.

use std::collections::HashSet;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How a traced run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code, after so many writing calls.
    Exited { code: i32, writes: usize },
    /// It was killed before the chosen call, named here.
    Cut(String),
}

/// The state of the stop that `ptrace` calls an entry (linux/ptrace.h).
const SYSCALL_ENTRY: u8 = 1;
/// The event of a tracee that was attached by itself or is stopped as a group (linux/ptrace.h).
const EVENT_STOP: i32 = 128;

/// Runs the program of `command` with its arguments. With `cut` (counted from 1) it and all its children are killed
/// before the so-manyeth writing call.
#[expect(clippy::zombie_processes, reason = "whoever follows it waits for it")]
pub fn run(command: &mut Command, cut: Option<usize>) -> End {
    // The shell stops itself until we are attached, then becomes the program.
    let mut words = vec![command.get_program().to_owned()];
    words.extend(command.get_args().map(ToOwned::to_owned));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]).args(words);
    shell.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    if let Some(directory) = command.get_current_dir() {
        shell.current_dir(directory);
    }
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = shell.spawn().expect("the shell starts");
    let main = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let stopped = waitpid(main, Some(WaitPidFlag::WUNTRACED)).expect("the shell is waited for");
    assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(main, options).expect("the shell is traced");
    kill(main, Signal::SIGCONT).expect("the shell goes on");
    let mut tracer =
        Tracer { main, cut, started: false, writes: 0, uncounted: HashSet::new(), live: HashSet::new() };
    tracer.live.insert(main);
    tracer.follow()
}

struct Tracer {
    main: Pid,
    cut: Option<usize>,
    /// Whether the shell has become the program.
    started: bool,
    writes: usize,
    /// Processes that run the sandboxed command.
    uncounted: HashSet<Pid>,
    live: HashSet<Pid>,
}

impl Tracer {
    fn follow(&mut self) -> End {
        // Children of other threads are other tests' business.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let mut end = None;
        loop {
            let status = match waitpid(None, Some(flags)) {
                Err(Errno::ECHILD) => return end.expect("the program ended before its tracing did"),
                Err(Errno::EINTR) => continue,
                status => status.expect("a tracee is waited for"),
            };
            match status {
                WaitStatus::Exited(pid, code) if pid == self.main && end.is_none() => {
                    end = Some(End::Exited { code, writes: self.writes });
                }
                WaitStatus::Signaled(pid, signal, _) if pid == self.main && end.is_none() => {
                    end = Some(End::Exited { code: 128 + signal as i32, writes: self.writes });
                }
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => {
                    self.live.remove(&pid);
                }
                _ if end.as_ref().is_some_and(|end| matches!(end, End::Cut(_))) => {
                    // Born while the others were killed.
                    if let Some(pid) = status.pid() {
                        let _ = kill(pid, Signal::SIGKILL);
                    }
                }
                WaitStatus::PtraceSyscall(pid) => match self.look(pid) {
                    Some(call) if Some(self.writes) == self.cut => {
                        for pid in &self.live {
                            let _ = kill(*pid, Signal::SIGKILL);
                        }
                        end = Some(End::Cut(call));
                    }
                    _ => self.go_on(pid, None),
                },
                WaitStatus::PtraceEvent(pid, signal, event) => self.event(pid, signal, event),
                WaitStatus::Stopped(pid, signal) => self.go_on(pid, Some(signal)),
                _ => {}
            }
        }
    }

    fn event(&mut self, pid: Pid, signal: Signal, event: i32) {
        self.live.insert(pid);
        if event == Event::PTRACE_EVENT_EXEC as i32 {
            if pid == self.main {
                self.started = true;
            } else {
                self.uncounted.insert(pid);
            }
        }
        // A command that stops itself would wait for somebody's `SIGCONT`; none of ours does.
        let _ = (event == EVENT_STOP).then_some(signal);
        self.go_on(pid, None);
    }

    fn go_on(&self, pid: Pid, signal: Option<Signal>) {
        let went = match self.started && self.uncounted.contains(&pid) {
            true => ptrace::cont(pid, signal),
            false => ptrace::syscall(pid, signal),
        };
        // It may have been killed meanwhile, by its parent's death for one.
        assert!(matches!(went, Ok(()) | Err(Errno::ESRCH)), "{went:?}");
    }

    /// The name of the call this thread is about to make, if it is one that writes; it is counted then.
    fn look(&mut self, pid: Pid) -> Option<String> {
        if !self.started || self.uncounted.contains(&pid) {
            return None;
        }
        let info = ptrace::syscall_info(pid).ok()?;
        if info.op != SYSCALL_ENTRY {
            return None;
        }
        let (number, arguments) = call(pid)?;
        let name = writing(pid, number, arguments)?;
        self.writes += 1;
        Some(name.to_owned())
    }
}

/// The number and the first four arguments of the call that `pid` is about to make.
fn call(pid: Pid) -> Option<(i64, [u64; 4])> {
    let registers = ptrace::getregs(pid).ok()?;
    #[cfg(target_arch = "x86_64")]
    let call =
        (registers.orig_rax.cast_signed(), [registers.rdi, registers.rsi, registers.rdx, registers.r10]);
    #[cfg(target_arch = "aarch64")]
    let call = (
        registers.regs[8].cast_signed(),
        [registers.regs[0], registers.regs[1], registers.regs[2], registers.regs[3]],
    );
    Some(call)
}

/// The system calls of this machine, `name=number`.
const NUMBERS: &str = if cfg!(target_arch = "x86_64") {
    include_str!("../../../builder-core/src/sandbox/seccomp/numbers/x86_64.txt")
} else {
    include_str!("../../../builder-core/src/sandbox/seccomp/numbers/aarch64.txt")
};

/// The calls that change files, mounts or locks, by name.
const WRITING: &str = "openat openat2 write writev pwrite64 pwritev renameat renameat2 linkat symlinkat unlinkat mkdirat
    mknodat fchmod fchmodat fchmodat2 fchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr
    fremovexattr utimensat truncate ftruncate fallocate copy_file_range sendfile splice ioctl mount umount2 move_mount
    mount_setattr pivot_root fsconfig fsync fdatasync syncfs flock open creat rename link symlink unlink mkdir rmdir
    chmod chown lchown";

/// The name of a system call that changes something.
fn writing(pid: Pid, number: i64, [_, second, third, _]: [u64; 4]) -> Option<&'static str> {
    let mut known = NUMBERS.split_whitespace().filter_map(|entry| entry.split_once('='));
    let (name, _) = known.find(|(_, known)| known.parse() == Ok(number))?;
    let changes = match name {
        "openat" => opens_to_write(third),
        "open" => opens_to_write(second),
        "openat2" => opens_to_write(ptrace::read(pid, third as ptrace::AddressType).ok()?.cast_unsigned()),
        // Only the command that makes the mount (`FSCONFIG_CMD_CREATE`, linux/mount.h).
        "fsconfig" => second == 6,
        _ => WRITING.split_whitespace().any(|writing| writing == name),
    };
    changes.then_some(name)
}

/// Whether an `open` with these flags can change anything.
fn opens_to_write(flags: u64) -> bool {
    let writing = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_RDWR | OFlag::O_TRUNC;
    flags & u64::try_from(writing.bits()).expect("flags are positive") != 0
}
