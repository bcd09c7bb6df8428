//! System calls refused to what a story starts, as an older kernel or the filter of a container engine does.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// A filter that answers some calls with an error number.
#[derive(Debug)]
pub struct Refusal {
    program: BpfProgram,
}

/// Calls by name with their numbers; those newer than 2019 have the same on every machine.
const CALLS: [(&str, i64); 11] = [
    #[cfg(target_arch = "x86_64")]
    ("unshare", 272),
    #[cfg(not(target_arch = "x86_64"))]
    ("unshare", 97),
    ("open_tree", 428),
    ("move_mount", 429),
    ("fsopen", 430),
    ("fsconfig", 431),
    ("fsmount", 432),
    ("clone3", 435),
    ("close_range", 436),
    ("openat2", 437),
    ("faccessat2", 439),
    ("mount_setattr", 442),
];

impl Refusal {
    /// Answers `calls` with `errno`.
    pub fn new(calls: &[&str], errno: nix::errno::Errno) -> Self {
        let number = |name: &&str| {
            let found = CALLS.iter().find(|(known, _)| known == name);
            found.unwrap_or_else(|| panic!("{name} has no number here")).1
        };
        let rules: BTreeMap<_, _> = calls.iter().map(|name| (number(name), Vec::new())).collect();
        let answer = SeccompAction::Errno(u32::try_from(errno as i32).expect("a small number"));
        let machine = TargetArch::try_from(std::env::consts::ARCH).expect("a machine with such filters");
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, machine).expect("a filter");
        Refusal { program: filter.try_into().expect("a small filter") }
    }

    /// Starts `command` under the filter.
    pub fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        // A user to become, if only the same one, makes the standard library fork, which needs no call of these.
        command.uid(nix::unistd::getuid().as_raw()).gid(nix::unistd::getgid().as_raw());
        // A thread of its own has the filter, and hands it on to what it starts.
        let started = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                seccompiler::apply_filter(&self.program).expect("the filter is installed");
                command.spawn()
            });
            thread.join()
        });
        started.expect("the thread ends")
    }
}
