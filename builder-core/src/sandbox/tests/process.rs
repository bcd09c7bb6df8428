//! The sandbox as a process among others: threads, signals, the death of the parent, terminals, user namespaces.
//!
//! These need a process of their own, since signals and standard files belong to the whole process: the test starts
//! this program again with one test's name and [`INNER`] set.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;

/// Set in the process that runs the inner half of a test.
const INNER: &str = "KILN_TEST_INNER";

fn inner() -> bool {
    std::env::var_os(INNER).is_some()
}

/// This program with only the test `name`, by `wrap` where given.
fn again(name: &str, wrap: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match wrap {
        [] => Command::new(&program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(&program);
            command
        }
    };
    let module = module_path!().split_once("::").unwrap().1;
    command
        .arg(format!("{module}::{name}"))
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .env(INNER, "1");
    command
}

/// Kills what still runs after minutes: a hang is a failure, not an endless test.
fn finish(mut child: Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > Duration::from_secs(240) {
            child.kill().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_thousand_runs_beside_threads_that_allocate() {
    if !can_run("a_thousand_runs_beside_threads_that_allocate") {
        return;
    }
    if !inner() {
        let child =
            again("a_thousand_runs_beside_threads_that_allocate", &[]).stdout(Stdio::null()).spawn().unwrap();
        assert!(finish(child).success());
        return;
    }
    let done = AtomicBool::new(false);
    let image = Image::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    kept.push(vec![1; 1 + kept.len() * 37 % 9000]);
                    if kept.len() == 64 {
                        kept.clear();
                        // Two processors and eight threads: the runs need one now and then.
                        std::thread::sleep(Duration::from_micros(200));
                    }
                    // The locks a child must not need: of the environment, of standard output.
                    let _ = (std::env::var_os("HOME"), std::io::stdout().lock());
                }
            });
        }
        for _ in 0..1000 {
            assert_eq!(image.run(spec(&["busybox", "true"])).unwrap(), Exit::Code(0));
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Starts the inner half of a test, and returns it and its output once its command has said `ready`.
fn started(name: &str, stdin: Stdio) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = again(name, &[]).stdin(stdin).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 && !line.contains("ready") {
        line.clear();
    }
    assert!(line.contains("ready"), "{name} did not start");
    (child, output)
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_signal_reaches_a_command_that_handles_it() {
    let name = "a_signal_reaches_a_command_that_handles_it";
    if !can_run(name) {
        return;
    }
    if inner() {
        let script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
        assert_eq!(Image::new().run(script_spec(script)).unwrap(), Exit::Code(9));
        return;
    }
    let (child, mut output) = started(name, Stdio::null());
    signal(&child, rustix::process::Signal::TERM);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("caught"), "{rest}");
    assert!(finish(child).success(), "{rest}");
}

#[test]
fn a_signal_ends_a_command_that_does_not_handle_it() {
    let name = "a_signal_ends_a_command_that_does_not_handle_it";
    if !can_run(name) {
        return;
    }
    if inner() {
        let exit = Image::new().run(script_spec("(sleep 0.3; echo ready) & exec sleep 1000")).unwrap();
        assert_eq!((exit, exit.code()), (Exit::Signal(2), 130));
        return;
    }
    let (child, mut output) = started(name, Stdio::null());
    signal(&child, rustix::process::Signal::INT);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(finish(child).success(), "{rest}");
}

#[test]
fn the_command_dies_with_us() {
    let name = "the_command_dies_with_us";
    if !can_run(name) {
        return;
    }
    if inner() {
        let user = User { uid: 1000, gid: 1000, groups: vec![], home: None, name: None };
        let spec = Spec { user, ..script_spec("sleep 1000 & echo ready; sleep 1000") };
        let _ = Image::new().run(spec);
        return;
    }
    let (mut child, mut output) = started(name, Stdio::null());
    child.kill().unwrap();
    child.wait().unwrap();
    // The end of file comes when the last process that could write is gone.
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(output.read_to_string(&mut String::new()).is_ok()));
    assert!(receive.recv_timeout(Duration::from_secs(60)).expect("the command outlives us"));
}

#[test]
fn a_terminal_is_a_real_one() {
    let name = "a_terminal_is_a_real_one";
    if !can_run(name) {
        return;
    }
    if inner() {
        let script = "tty; stty size; test -t 0 && test -t 1 && echo 'rea''dy'; read line; echo got $line; \
            echo x > /dev/tty; id -u; echo y > /dev/stdout; exit 5";
        let user = User { uid: 1000, gid: 1000, groups: vec![], home: None, name: None };
        let spec = Spec { terminal: true, user, ..script_spec(script) };
        assert_eq!(Image::new().run(spec).unwrap(), Exit::Code(5));
        return;
    }
    use rustix::pty::OpenptFlags;
    use rustix::termios::{LocalModes, Winsize};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let outer = rustix::pty::openpt(flags).unwrap();
    rustix::pty::unlockpt(&outer).unwrap();
    let ours = rustix::pty::ioctl_tiocgptpeer(&outer, flags).unwrap();
    let size = Winsize { ws_row: 31, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&outer, size).unwrap();
    let before = rustix::termios::tcgetattr(&ours).unwrap();
    let stdio = || Stdio::from(ours.try_clone().unwrap());
    let child = again(name, &[]).stdin(stdio()).stdout(stdio()).spawn().unwrap();
    let mut output = BufReader::new(fs::File::from(outer.try_clone().unwrap()));
    let mut seen = String::new();
    while !seen.contains("ready") {
        assert!(output.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    assert!(seen.contains("/dev/pts/0") && seen.contains("31 97"), "{seen}");
    let during = rustix::termios::tcgetattr(&ours).unwrap();
    assert!(!during.local_modes.contains(LocalModes::ICANON), "ours is raw while the command runs");
    rustix::io::write(&outer, b"hello\r").unwrap();
    while !seen.contains("\r\ny\r\n") {
        assert!(output.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    assert!(seen.contains("got hello") && seen.contains("\r\nx\r\n") && seen.contains("1000\r\n"), "{seen}");
    assert!(finish(child).success(), "{seen}");
    let after = rustix::termios::tcgetattr(&ours).unwrap();
    assert_eq!(before.local_modes, after.local_modes, "it is put back");
}

#[test]
fn it_works_in_a_user_namespace() {
    let name = "it_works_in_a_user_namespace";
    if !Path::new(BUSYBOX).exists() {
        return not_run(name, "needs busybox-static");
    }
    if inner() {
        let image = Image::new();
        assert!(Facts::probe().rootless);
        let script = "id -u; echo x > /dev/null; head -c2 /dev/zero | wc -c; mount | grep -c sysfs; \
            ls /sys/class | wc -l; \
            touch /sys/x; cat /proc/self/status; ls /proc/sys/kernel | wc -l; echo y > /proc/sys/kernel/hostname";
        for network in [Network::Host, Network::None] {
            let seen = image.output(|spec| spec.network = network, &format!("{script}; true"));
            assert!(seen.starts_with("0\n2\n"), "{seen}");
            assert!(seen.contains("CapEff:\t00000000800405fb"), "{seen}");
            assert_eq!(seen.matches("Read-only file system").count(), 2, "{seen}");
        }
        let user = User { uid: 77, gid: 77, groups: vec![77], home: None, name: None };
        let error = image.run(Spec { user, ..script_spec("true") }).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--add-subuids"), "{error:?}");
        return;
    }
    let unshare = ["unshare", "--user", "--map-root-user", "--mount"];
    match Command::new(unshare[0]).args(&unshare[1..]).arg("true").status() {
        Ok(status) if status.success() => {}
        _ => return not_run(name, "user namespaces are not allowed here"),
    }
    assert!(finish(again(name, &unshare).stdout(Stdio::null()).spawn().unwrap()).success());
}

/// Keeps the warnings.
#[derive(Default)]
struct Warnings(std::sync::Mutex<Vec<String>>);

impl crate::event::Reporter for Warnings {
    fn report(&self, event: crate::event::Event) {
        if let crate::event::Event::Warning { message, .. } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

#[test]
fn where_the_kernel_allows_no_new_proc_the_old_one_serves_and_it_is_said() {
    let name = "where_the_kernel_allows_no_new_proc_the_old_one_serves_and_it_is_said";
    if !can_run(name) {
        return;
    }
    if inner() {
        let (image, warnings) = (Image::new(), Warnings::default());
        let spec =
            script_spec("test -r /proc/self/status && ! echo x 2>/dev/null > /proc/sys/kernel/hostname");
        let exit = run(image.rootfs(), spec, &Facts::probe(), &warnings).unwrap();
        assert_eq!(exit, Exit::Code(0));
        let warnings = warnings.0.into_inner().unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("/proc"), "{warnings:?}");
        return;
    }
    // As in a container: parts of /proc are hidden, and who enters a user namespace below may not see them anew.
    let hide = "mount -t tmpfs none /proc/bus && exec unshare --user --map-root-user --mount \"$0\" \"$@\"";
    let wrap = ["unshare", "--mount", "sh", "-c", hide];
    match Command::new(wrap[0]).args(&wrap[1..]).arg("true").status() {
        Ok(status) if status.success() => {}
        _ => return not_run(name, "user namespaces or mounts are not allowed here"),
    }
    assert!(finish(again(name, &wrap).stdout(Stdio::null()).spawn().unwrap()).success());
}
