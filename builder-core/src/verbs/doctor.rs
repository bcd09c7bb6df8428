//! `doctor`: tries one by one what Kiln uses of a machine, and says of each whether it works or what would make it.

mod places;

use std::fmt;
use std::path::Path;

use rustix::io::Errno;

use crate::error::Error;
use crate::host::probe::{self, Knob};
use crate::host::{self, Host};
use crate::settings::Settings;
use crate::sys::trial;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It works.
    Works,
    /// It does not, and Kiln has another way, or does without.
    Limited,
    /// It does not, and something that Kiln is for does not either.
    Missing,
    /// It is not needed here.
    Unneeded,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Works => "works",
            State::Limited => "limited",
            State::Missing => "missing",
            State::Unneeded => "not needed",
        })
    }
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What: a few words.
    pub name: &'static str,
    /// How it stands.
    pub state: State,
    /// What was seen, as bare facts; may be empty.
    pub detail: String,
    /// What to do, if it does not work.
    pub fix: Option<String>,
}

impl Check {
    fn new(name: &'static str, state: State, detail: impl Into<String>) -> Self {
        Check { name, state, detail: detail.into(), fix: None }
    }

    fn works(name: &'static str, detail: impl Into<String>) -> Self {
        Check::new(name, State::Works, detail)
    }

    fn fix(mut self, knob: Knob) -> Self {
        self.fix = Some(knob.fix().to_owned());
        self
    }

    /// As an error met elsewhere says it.
    fn of_error(name: &'static str, state: State, error: &Error) -> Self {
        let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        Check { name, state, detail: cause, fix: error.hint_text().map(str::to_owned) }
    }
}

/// Tries everything. Moves this process into a user namespace where an ordinary user needs one, so it is the last
/// thing a program does; must be called before any thread starts. `etc` is where `passwd`, `subuid` and `subgid` are.
#[must_use]
pub fn doctor(settings: &Settings, host: Host, etc: &Path) -> Vec<Check> {
    let mut checks = vec![kernel(), seccomp()];
    let is_root = host.is_privileged();
    checks.push(user_namespaces(is_root));
    checks.push(app_armor());
    checks.extend(ids(settings, host, is_root, etc));
    // From here on with the rights that the verbs have.
    let entered = host.enter(etc);
    if let Err(error) = &entered {
        checks.push(Check::of_error("rights", State::Missing, error));
    } else {
        checks.extend([calls(), fresh_proc()]);
    }
    checks.extend(places::store(settings, host, entered.is_ok()));
    checks.push(places::fuse(settings));
    checks.push(places::cgroups());
    checks.push(places::network(settings));
    checks
}

/// The release, against the oldest that is tested.
fn kernel() -> Check {
    const OLDEST: (u32, u32) = (5, 11);
    let names = rustix::system::uname();
    let release = names.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= OLDEST {
        return Check::works("kernel", release);
    }
    Check::new("kernel", State::Limited, format!("{release} is older than 5.11")).fix(Knob::OverlayKernel)
}

fn calls() -> Check {
    let refused = trial::refused_calls();
    if refused.is_empty() {
        return Check::works("newer system calls", "");
    }
    let check = match probe::needed_calls(&refused) {
        needed if needed.is_empty() => {
            let detail = format!("older ways are used in place of {}", refused.join(", "));
            Check::new("newer system calls", State::Limited, detail)
        }
        needed => {
            let detail = format!("nothing stands in for {}: nothing can be mounted", needed.join(" and "));
            Check::new("newer system calls", State::Missing, detail)
        }
    };
    check.fix(probe::of_calls())
}

fn seccomp() -> Check {
    let around = if probe::is_filtered() { "a filter is around this process already" } else { "" };
    match trial::in_child(trial::filter) {
        Ok(Ok(())) => Check::works("seccomp", around),
        refused => Check::new("seccomp", State::Missing, said(refused)).fix(Knob::Seccomp),
    }
}

fn user_namespaces(is_root: bool) -> Check {
    const NAME: &str = "user namespaces";
    let refused = match trial::in_child(trial::user_namespace) {
        Ok(Ok(())) => return Check::works(NAME, ""),
        refused => refused,
    };
    let state = if is_root { State::Limited } else { State::Missing };
    let knob = match refused {
        Ok(Err(errno)) => probe::of_user_namespaces(errno),
        _ => Knob::KernelUserNamespaces,
    };
    Check::new(NAME, state, said(refused)).fix(knob)
}

fn app_armor() -> Check {
    const NAME: &str = "apparmor restriction";
    let setting = std::fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    match setting.as_deref().map(str::trim) {
        Ok("1") => {
            let detail = "kernel.apparmor_restrict_unprivileged_userns is 1";
            let works = matches!(trial::in_child(trial::user_namespace), Ok(Ok(())));
            let state = if works { State::Works } else { State::Limited };
            let check = Check::new(NAME, state, detail);
            if works { check } else { check.fix(Knob::AppArmor) }
        }
        Ok(other) => Check::works(NAME, format!("kernel.apparmor_restrict_unprivileged_userns is {other}")),
        Err(_) => Check::works(NAME, "this kernel has none"),
    }
}

/// Subordinate ids, and the programs that map them.
fn ids(settings: &Settings, host: Host, is_root: bool, etc: &Path) -> Vec<Check> {
    const IDS: &str = "subordinate ids";
    const PROGRAMS: &str = "newuidmap";
    if is_root || rustix::process::geteuid().is_root() {
        let why = if host.is_rootless() { "already in a user namespace" } else { "root has all ids" };
        return vec![Check::new(IDS, State::Unneeded, why), Check::new(PROGRAMS, State::Unneeded, why)];
    }
    let ids = match host::subordinate_ids(etc) {
        Ok((users, groups)) => Check::works(IDS, format!("{users} users, {groups} groups")),
        Err(error) => Check::of_error(IDS, State::Limited, &error),
    };
    let missing = ["newuidmap", "newgidmap"].into_iter().find(|name| settings.find_program(name).is_none());
    let programs = match missing {
        Some(name) => {
            Check::new(PROGRAMS, State::Limited, format!("there is no {name}")).fix(Knob::Newuidmap)
        }
        None if ids.state != State::Works => Check::works(PROGRAMS, "not tried: there are no ids to map"),
        // As every verb does it: in a child, for this process does the same in a moment.
        None => match trial::in_child(|| host.enter(etc).map_err(|_| Errno::PERM)) {
            Ok(Ok(())) => Check::works(PROGRAMS, ""),
            _ => Check::new(PROGRAMS, State::Limited, "it maps no ids for this user")
                .fix(Knob::NewuidmapSetuid),
        },
    };
    vec![ids, programs]
}

fn fresh_proc() -> Check {
    const NAME: &str = "new /proc";
    match trial::in_child(trial::fresh_proc) {
        Ok(Ok(())) => Check::works(NAME, ""),
        refused => {
            let detail = format!("{}; containers see a copy of this one", said(refused));
            Check::new(NAME, State::Limited, detail).fix(Knob::UnmaskedProc)
        }
    }
}

fn said(refused: std::io::Result<Result<(), Errno>>) -> String {
    match refused {
        Ok(Ok(())) => String::new(),
        Ok(Err(errno)) => errno.to_string(),
        Err(error) => error.to_string(),
    }
}
