//! The system call filter: the default profile compiled to the classic BPF that seccomp(2) takes.
//!
//! One program serves both instruction sets of the machine (on x86-64 also 32-bit programs). Numbers are looked up by
//! a binary search over ranges with the same verdict: the kernel runs every filter once per system call number when it
//! is installed, so a chain of comparisons would cost more than the rest of the sandbox. What is allowed is in
//! `profile`.

use std::collections::BTreeMap;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use serde_json::{Value, json};

use crate::error::Result;
use crate::sys::bpf::{ARCHITECTURE, ARGUMENTS, Instruction, NUMBER, answer, at_least, equal, load, skip};
use crate::sys::{bpf, spawn::Filter};

mod custom;
mod profile;

pub(crate) use custom::Profile;

/// `AUDIT_ARCH_*` of linux/audit.h.
const AUDIT_X86_64: u32 = 0xc000_003e;
const AUDIT_X86: u32 = 0x4000_0003;
const AUDIT_AARCH64: u32 = 0xc000_00b7;

/// `AF_NETLINK` and `NETLINK_AUDIT`, of linux/socket.h and linux/netlink.h.
const NETLINK: u32 = 16;
const AUDIT: u32 = 9;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allow,
    /// Answered with this error number.
    Refuse(Errno),
    /// Allowed where the first argument is in the list of the profile, else unknown.
    Personality,
    /// A socket of the kernel's audit subsystem is answered with `EINVAL`; all others are allowed.
    Socket,
}

/// What is not in the profile is answered as by a kernel that does not know the call, so that programs fall back.
const UNKNOWN: Verdict = Verdict::Refuse(Errno::NOSYS);
const REFUSED: Verdict = Verdict::Refuse(Errno::PERM);

/// The default filter for a process with `capabilities`, for this machine's architecture.
///
/// `None` for an architecture without a table; there no filter is better than one of wrong numbers.
pub(super) fn default_filter(capabilities: CapabilitySet) -> Option<Filter> {
    let verdicts = verdicts(capabilities);
    let native = include_str!("seccomp/numbers/x86_64.txt");
    let tables: &[(u32, &str)] = if cfg!(target_arch = "x86_64") {
        &[(AUDIT_X86_64, native), (AUDIT_X86, include_str!("seccomp/numbers/x86.txt"))]
    } else if cfg!(target_arch = "aarch64") {
        &[(AUDIT_AARCH64, include_str!("seccomp/numbers/aarch64.txt"))]
    } else {
        return None;
    };
    let mut program = vec![load(ARCHITECTURE)];
    for (architecture, numbers) in tables {
        let body = body(&ranges(&verdicts, numbers));
        program.push(equal(*architecture, 1, 0));
        program.push(skip(body.len() as u32));
        program.extend(body);
    }
    program.push(verdict(UNKNOWN));
    Some(program)
}

/// The filter of the user's own profile for a process with `capabilities`.
pub(super) fn custom_filter(profile: &Profile, capabilities: CapabilitySet) -> Result<Filter> {
    profile.filter(capabilities)
}

/// The default profile as an OCI runtime takes it.
pub(super) fn default_rules(capabilities: CapabilitySet) -> Value {
    let architectures: &[&str] = match cfg!(target_arch = "x86_64") {
        true => &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        false => &["SCMP_ARCH_AARCH64"],
    };
    let mut rules = Vec::new();
    let mut by_verdict = BTreeMap::<i32, Vec<&str>>::new();
    for (name, verdict) in verdicts(capabilities) {
        match verdict {
            Verdict::Allow => by_verdict.entry(0).or_default().push(name),
            Verdict::Refuse(errno) => by_verdict.entry(errno.raw_os_error()).or_default().push(name),
            Verdict::Personality => rules.extend(profile::PERSONALITIES.iter().map(|value| {
                let argument = json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" });
                json!({ "names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument] })
            })),
            Verdict::Socket => {
                let argument = |index, value, op| json!({ "index": index, "value": value, "op": op });
                let (family, protocol) =
                    (argument(0, NETLINK, "SCMP_CMP_EQ"), argument(2, AUDIT, "SCMP_CMP_EQ"));
                let refused = Errno::INVAL.raw_os_error();
                rules.push(json!({
                    "names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": refused, "args": [family, protocol],
                }));
                for (index, value) in [(2, AUDIT), (0, NETLINK)] {
                    let other = argument(index, value, "SCMP_CMP_NE");
                    rules.push(json!({ "names": [name], "action": "SCMP_ACT_ALLOW", "args": [other] }));
                }
            }
        }
    }
    let plain = by_verdict.iter().map(|(errno, names)| match errno {
        0 => json!({ "names": names, "action": "SCMP_ACT_ALLOW" }),
        errno => json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno }),
    });
    // In this order: libseccomp takes no rule for `socket` with arguments before one for `socketcall` without.
    let rules: Vec<Value> = plain.chain(rules).collect();
    json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": Errno::NOSYS.raw_os_error(),
        "architectures": architectures, "syscalls": rules,
    })
}

/// Every call the profile knows, by name.
fn verdicts(capabilities: CapabilitySet) -> BTreeMap<&'static str, Verdict> {
    let mut verdicts = BTreeMap::new();
    let allowed =
        [profile::ALLOWED, profile::ALLOWED_SINCE].into_iter().flat_map(str::split_ascii_whitespace);
    verdicts.extend(allowed.map(|name| (name, Verdict::Allow)));
    verdicts.extend(profile::REFUSED.split_ascii_whitespace().map(|name| (name, REFUSED)));
    for (needed, names) in profile::WITH_CAPABILITY {
        let verdict = if capabilities.contains(*needed) { Verdict::Allow } else { REFUSED };
        verdicts.extend(names.split_ascii_whitespace().map(|name| (name, verdict)));
    }
    verdicts.insert("personality", Verdict::Personality);
    let audit = capabilities.contains(CapabilitySet::AUDIT_WRITE);
    verdicts.insert("socket", if audit { Verdict::Allow } else { Verdict::Socket });
    verdicts
}

/// The verdicts by number: each starts at its number and holds until the next, the first at 0.
fn ranges(verdicts: &BTreeMap<&str, Verdict>, numbers: &str) -> Vec<(u32, Verdict)> {
    let mut calls: Vec<(u32, Verdict)> = numbers
        .split_ascii_whitespace()
        .filter_map(|word| {
            let (name, number) = word.split_once('=')?;
            Some((number.parse().ok()?, *verdicts.get(name)?))
        })
        .collect();
    calls.sort_unstable_by_key(|(number, _)| *number);
    let mut ranges = vec![(0, UNKNOWN)];
    let mut add = |start: u32, verdict: Verdict| match ranges.last_mut() {
        Some((_, last)) if *last == verdict => {}
        Some((number, last)) if *number == start => *last = verdict,
        _ => ranges.push((start, verdict)),
    };
    let mut next = 0;
    for (number, verdict) in calls {
        if number > next {
            add(next, UNKNOWN);
        }
        add(number, verdict);
        next = number + 1;
    }
    add(next, UNKNOWN);
    ranges
}

/// Loads the number and finds its range.
fn body(ranges: &[(u32, Verdict)]) -> Filter {
    let mut body = vec![load(NUMBER)];
    let rules: Vec<(u32, Filter)> = ranges.iter().map(|(start, verdict)| (*start, rule(*verdict))).collect();
    body.extend(search(&rules));
    body
}

/// Finds the range of the number that was loaded, and goes on with its code, which ends in an answer on every way.
fn search(ranges: &[(u32, Filter)]) -> Filter {
    if let [(_, only)] = ranges {
        return only.clone();
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let pivot = high[0].0;
    let (low, high) = (search(low), search(high));
    let mut code = Vec::with_capacity(low.len() + high.len() + 2);
    match u8::try_from(low.len()) {
        Ok(length) => code.push(at_least(pivot, length, 0)),
        // A conditional jump reaches 255 instructions only.
        Err(_) => code.extend([at_least(pivot, 0, 1), skip(low.len() as u32)]),
    }
    code.extend(low);
    code.extend(high);
    code
}

/// What one range does; ends in an answer on every way.
fn rule(what: Verdict) -> Filter {
    match what {
        Verdict::Allow | Verdict::Refuse(_) => vec![verdict(what)],
        Verdict::Personality => {
            let values = profile::PERSONALITIES;
            let mut code = vec![load(high_half(0)), equal(0, 1, 0), verdict(UNKNOWN), load(low_half(0))];
            for (index, value) in values.iter().enumerate() {
                let rest = values.len() - 1 - index;
                // Over the comparisons that are left and the refusal.
                code.push(equal(*value as u32, rest as u8 + 1, 0));
            }
            code.extend([verdict(UNKNOWN), verdict(Verdict::Allow)]);
            code
        }
        Verdict::Socket => {
            let allow = verdict(Verdict::Allow);
            let mut code = Vec::new();
            // The kernel takes both as `int` and ignores the upper halves; so must the filter.
            for (argument, value) in [(0, NETLINK), (2, AUDIT)] {
                code.extend([load(low_half(argument)), equal(value, 1, 0), allow]);
            }
            code.push(verdict(Verdict::Refuse(Errno::INVAL)));
            code
        }
    }
}

fn verdict(verdict: Verdict) -> Instruction {
    answer(match verdict {
        Verdict::Refuse(errno) => bpf::errno(errno.raw_os_error() as u32),
        Verdict::Allow | Verdict::Personality | Verdict::Socket => bpf::ALLOW,
    })
}

/// Arguments lie low half first on every machine of the tables.
fn low_half(argument: u32) -> u32 {
    ARGUMENTS + 8 * argument
}

fn high_half(argument: u32) -> u32 {
    low_half(argument) + 4
}

#[cfg(test)]
mod tests;
