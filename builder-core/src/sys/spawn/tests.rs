//! The child's side alone: notices, and the ways round calls that a filter around us refuses.

use std::os::fd::AsFd;

use rustix::process::{WaitId, WaitIdOptions};

use super::*;
use crate::testing::{not_run, require_root};

const BUSYBOX: &CStr = c"/bin/busybox";

fn command(args: &[&str]) -> Step {
    let words = |words: &[&str]| words.iter().map(|word| CString::new(*word).unwrap()).collect();
    Step::Exec(Command::new(vec![BUSYBOX.into()], words(args), words(&["A=b"])))
}

/// Performs the steps; what the child said, and its exit code.
fn perform(steps: Vec<Step>) -> (Vec<Notice>, i32) {
    let mut program = Program::default();
    steps.into_iter().for_each(|step| program.push(step));
    let namespaces = Namespaces { cgroup: true, ipc: true, pid: true, uts: true, ..Namespaces::default() };
    let mut child = spawn(&mut program, &namespaces).unwrap();
    let notices = child.settle().unwrap();
    let status =
        rustix::process::waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    (notices, status.exit_status().unwrap())
}

fn can_run(test: &str) -> bool {
    if !std::path::Path::new(BUSYBOX.to_str().unwrap()).exists() {
        not_run(test, "needs busybox-static");
        return false;
    }
    require_root(test)
}

#[test]
fn notices_survive_the_pipe() {
    for notice in [Notice::Failed(3, 22), Notice::FellBack(70_000, 1), Notice::NoInterpreter(1)] {
        let bytes = notice.to_bytes();
        let back = Notice::from_bytes(&bytes).unwrap();
        assert_eq!(back, notice);
        assert_eq!(Notice::from_bytes(&bytes[..11]), None);
    }
    assert_eq!(Notice::from_bytes(&[9; 12]), None);
}

#[test]
fn the_step_that_fails_is_named_and_none_comes_after_it() {
    if !can_run("the_step_that_fails_is_named_and_none_comes_after_it") {
        return;
    }
    let hostname = || Step::Hostname { name: CString::new("box").unwrap(), required: true };
    let nowhere = Step::Directory(CString::new("/no/such/directory").unwrap());
    let (notices, code) = perform(vec![Step::Private, hostname(), nowhere, command(&["sh", "-c", "exit 3"])]);
    assert_eq!((notices, code), (vec![Notice::Failed(2, libc::ENOENT)], 125));
    let (notices, code) = perform(vec![Step::Private, hostname(), command(&["sh", "-c", "exit 3"])]);
    assert_eq!((notices, code), (Vec::new(), 3));
    // A handle that nothing was put into is an error, never another file.
    let mut program = Program::default();
    let empty = program.reserve();
    let (notices, _) = perform(vec![Step::Cover(empty)]);
    assert_eq!(notices, [Notice::Failed(0, libc::EBADF)]);
}

/// Answers the calls with `ENOSYS`, in this thread and what it starts.
fn refuse(calls: &[i64]) {
    let instruction = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = vec![instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for call in calls {
        filter.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, *call as u32));
        let refusal = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        filter.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0, refusal));
    }
    filter.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    perform::seccomp(&filter).unwrap();
}

#[test]
fn there_is_a_way_round_refused_calls() {
    if !can_run("there_is_a_way_round_refused_calls") {
        return;
    }
    // A filter holds for one thread, so this one is given up to it.
    let run = || {
        refuse(&[libc::SYS_clone3, libc::SYS_close_range]);
        let leak = std::fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
        let script = "test $$ = 1 && test $A = b && exit 7";
        let (notices, code) = perform(vec![Step::Private, Step::Close, command(&["sh", "-c", script])]);
        assert_eq!((notices, code), (Vec::new(), 7));
        let fd = leak.as_raw_fd();
        let script = format!("! echo x 2>/dev/null >&{fd}");
        assert_eq!(
            perform(vec![Step::Close, command(&["sh", "-c", &script])]),
            (Vec::new(), 0),
            "the file is not passed on"
        );
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap());
}

#[test]
fn a_limit_is_set_or_clamped() {
    if !can_run("a_limit_is_set_or_clamped") {
        return;
    }
    let limit = Step::Limit { resource: resource("nofile").unwrap(), wanted: (64, 65) };
    let script = "test $(ulimit -n) = 64 && test $(ulimit -Hn) = 65";
    assert_eq!(perform(vec![limit, command(&["sh", "-c", script])]), (Vec::new(), 0));
    assert_eq!(resource("nonsense"), None);
}
