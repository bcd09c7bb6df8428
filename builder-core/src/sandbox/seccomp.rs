//! The system call filter: the default profile compiled to the classic BPF that seccomp(2) takes.
//!
//! One program serves both instruction sets of the machine (on x86-64 also 32-bit programs). Numbers are looked up by
//! a binary search over ranges with the same verdict: the kernel runs every filter once per system call number when it
//! is installed, so a chain of comparisons would cost more than the rest of the sandbox. What is allowed is in
//! `profile`.

use std::collections::BTreeMap;

use nix::libc;
use rustix::thread::CapabilitySet;

use crate::sys::spawn::Filter;

mod profile;

/// `AUDIT_ARCH_*` of linux/audit.h.
const AUDIT_X86_64: u32 = 0xc000_003e;
const AUDIT_X86: u32 = 0x4000_0003;
const AUDIT_AARCH64: u32 = 0xc000_00b7;

/// Offsets into `struct seccomp_data`: number, architecture, and six arguments of 64 bits.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allow,
    /// Answered with this error number.
    Errno(u32),
    /// Allowed where the first argument is in the list of the profile, else unknown.
    Personality,
    /// A socket of the kernel's audit subsystem is answered with `EINVAL`; all others are allowed.
    Socket,
}

/// What is not in the profile is answered as by a kernel that does not know the call, so that programs fall back.
const UNKNOWN: Verdict = Verdict::Errno(libc::ENOSYS as u32);
const REFUSED: Verdict = Verdict::Errno(libc::EPERM as u32);

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
        program.push(jump(libc::BPF_JEQ, *architecture, 1, 0));
        program.push(skip(body.len()));
        program.extend(body);
    }
    program.push(verdict(UNKNOWN));
    Some(program)
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
    body.extend(search(ranges));
    body
}

fn search(ranges: &[(u32, Verdict)]) -> Filter {
    if let [(_, only)] = ranges {
        return rule(*only);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let pivot = high[0].0;
    let (low, high) = (search(low), search(high));
    let mut code = Vec::with_capacity(low.len() + high.len() + 2);
    match u8::try_from(low.len()) {
        Ok(length) => code.push(jump(libc::BPF_JGE, pivot, length, 0)),
        // A conditional jump reaches 255 instructions only.
        Err(_) => code.extend([jump(libc::BPF_JGE, pivot, 0, 1), skip(low.len())]),
    }
    code.extend(low);
    code.extend(high);
    code
}

/// What one range does; ends in an answer on every way.
fn rule(what: Verdict) -> Filter {
    match what {
        Verdict::Allow | Verdict::Errno(_) => vec![verdict(what)],
        Verdict::Personality => {
            let values = profile::PERSONALITIES;
            let mut code =
                vec![load(high_half(0)), jump(libc::BPF_JEQ, 0, 1, 0), verdict(UNKNOWN), load(low_half(0))];
            for (index, value) in values.iter().enumerate() {
                let rest = values.len() - 1 - index;
                // Over the comparisons that are left and the refusal.
                code.push(jump(libc::BPF_JEQ, *value as u32, rest as u8 + 1, 0));
            }
            code.extend([verdict(UNKNOWN), verdict(Verdict::Allow)]);
            code
        }
        Verdict::Socket => {
            let allow = verdict(Verdict::Allow);
            let mut code = Vec::new();
            // The kernel takes both as `int` and ignores the upper halves; so must the filter.
            for (argument, value) in [(0, libc::AF_NETLINK), (2, libc::NETLINK_AUDIT)] {
                code.extend([load(low_half(argument)), jump(libc::BPF_JEQ, value as u32, 1, 0), allow]);
            }
            code.push(verdict(Verdict::Errno(libc::EINVAL as u32)));
            code
        }
    }
}

fn verdict(verdict: Verdict) -> libc::sock_filter {
    let value = match verdict {
        Verdict::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno,
        Verdict::Allow | Verdict::Personality | Verdict::Socket => libc::SECCOMP_RET_ALLOW,
    };
    libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: value }
}

/// Arguments lie low half first on every machine of the tables.
fn low_half(argument: u32) -> u32 {
    ARGUMENTS + 8 * argument
}

fn high_half(argument: u32) -> u32 {
    low_half(argument) + 4
}

fn load(offset: u32) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

fn jump(comparison: u32, value: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    let code = (libc::BPF_JMP | comparison | libc::BPF_K) as u16;
    libc::sock_filter { code, jt: if_true, jf: if_false, k: value }
}

fn skip(count: usize) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JA) as u16, jt: 0, jf: 0, k: count as u32 }
}

#[cfg(test)]
mod tests;
