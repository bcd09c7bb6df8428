//! A profile of the user's own, in the JSON form that Docker, Podman and Buildah share, compiled for this machine.
//!
//! Format: `seccomp.json` of containers-common; the operators are those of libseccomp's `seccomp_rule_add(3)`.

use std::path::Path;

use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AUDIT_AARCH64, AUDIT_X86, AUDIT_X86_64, high_half, low_half, search};
use crate::error::{Context, Error, Kind, Result};
use crate::sys::bpf::{self, ARCHITECTURE, NUMBER, and, answer, at_least, equal, greater, load, skip};
use crate::sys::spawn::Filter;
use crate::tree::Root;

/// The usual profile has 20 KiB.
const MAX_BYTES: u64 = 4 << 20;

/// `BPF_MAXINSNS` of the kernel.
const MAX_INSTRUCTIONS: usize = 4096;

/// Numbers from here on are calls of the x32 ABI, which are others than those of the same name.
const X32: u32 = 0x4000_0000;

/// `ENOSYS`, which programs take for a kernel that does not know a call.
const NO_CALL: u32 = 38;

/// A profile as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    default_action: Action,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    syscalls: Vec<Calls>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
enum Action {
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    #[serde(rename = "SCMP_ACT_KILL", alias = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
}

/// Calls with one action.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Calls {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Vec<String>,
    action: Action,
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Condition,
    #[serde(default)]
    excludes: Condition,
}

/// What an argument of a call must be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: Operator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
enum Operator {
    #[serde(rename = "SCMP_CMP_NE")]
    Ne,
    #[serde(rename = "SCMP_CMP_LT")]
    Lt,
    #[serde(rename = "SCMP_CMP_LE")]
    Le,
    #[serde(rename = "SCMP_CMP_EQ")]
    Eq,
    #[serde(rename = "SCMP_CMP_GE")]
    Ge,
    #[serde(rename = "SCMP_CMP_GT")]
    Gt,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEq,
}

/// When a rule counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    caps: Vec<String>,
    arches: Vec<String>,
    min_kernel: Option<String>,
}

impl Profile {
    /// Reads a profile of the host.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let show = &path.display();
        let path = std::fs::canonicalize(path).cannot("read the seccomp profile", show)?;
        let bytes = Root::open_host(Path::new("/")).and_then(|root| root.read(&path, MAX_BYTES));
        let bytes = bytes.cannot("read the seccomp profile", show)?;
        Profile::parse(&bytes).map_err(|cause| {
            Error::invalid(format!("cannot read the seccomp profile `{show}`"))
                .because(cause)
                .hint("write it as the seccomp.json of containers-common is written")
        })
    }

    fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        use serde::de::Error as _;
        let profile: Profile = serde_json::from_slice(bytes)?;
        let mut arguments = profile.syscalls.iter().flat_map(|calls| calls.args.iter().flatten());
        match arguments.find(|argument| argument.index > 5) {
            Some(argument) => {
                Err(serde_json::Error::custom(format!("no call has an argument {}", argument.index)))
            }
            None => Ok(profile),
        }
    }

    /// The filter of a process with `capabilities`.
    pub(super) fn filter(&self, capabilities: CapabilitySet) -> Result<Filter> {
        let tables: &[(u32, &str, &str, &str)] = if cfg!(target_arch = "x86_64") {
            &[
                (AUDIT_X86_64, "SCMP_ARCH_X86_64", "amd64", include_str!("numbers/x86_64.txt")),
                (AUDIT_X86, "SCMP_ARCH_X86", "x86", include_str!("numbers/x86.txt")),
            ]
        } else if cfg!(target_arch = "aarch64") {
            &[(AUDIT_AARCH64, "SCMP_ARCH_AARCH64", "arm64", include_str!("numbers/aarch64.txt"))]
        } else {
            return Err(Error::new(Kind::Unsupported, "cannot use a seccomp profile on this machine")
                .because("there is no table of its system calls")
                .hint("use --security-opt seccomp=unconfined"));
        };
        let rules = self.counting(capabilities, tables[0].2);
        let mut program = vec![load(ARCHITECTURE)];
        for (place, (architecture, name, _, numbers)) in tables.iter().enumerate() {
            if place > 0 && !self.knows(tables[0].1, name) {
                continue;
            }
            let mut body = vec![load(NUMBER)];
            body.extend(search(&self.ranges(&rules, numbers)));
            program.push(equal(*architecture, 1, 0));
            program.push(skip(body.len() as u32));
            program.extend(body);
        }
        // A program of another kind would use numbers that mean other calls.
        program.push(answer(bpf::KILL_PROCESS));
        match program.len() <= MAX_INSTRUCTIONS {
            true => Ok(program),
            false => Err(Error::invalid("cannot use the seccomp profile").because(format!(
                "it makes {} instructions, and the kernel takes {MAX_INSTRUCTIONS}",
                program.len()
            ))),
        }
    }

    /// The rules that count for a process with `capabilities` on this kernel and processor.
    fn counting(&self, capabilities: CapabilitySet, native: &str) -> Vec<&Calls> {
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        let counts = |calls: &&Calls| {
            let Calls { includes, excludes, .. } = calls;
            let bare =
                |name: &String| crate::sandbox::parse_capability(name).unwrap_or(CapabilitySet::empty());
            let has = |name: &String| capabilities.intersects(bare(name));
            let here = |names: &[String]| names.iter().any(|name| name == native);
            let young = |least: &Option<String>| {
                least.as_deref().is_none_or(|least| version(&kernel) >= version(least))
            };
            includes.caps.iter().all(has)
                && (includes.arches.is_empty() || here(&includes.arches))
                && young(&includes.min_kernel)
                && !excludes.caps.iter().any(has)
                && !here(&excludes.arches)
                && (excludes.min_kernel.is_none() || !young(&excludes.min_kernel))
        };
        self.syscalls.iter().filter(counts).collect()
    }

    /// The profile as an OCI runtime takes it: without what depends on capabilities, kernels and processors.
    pub(in crate::sandbox) fn rules(&self, capabilities: CapabilitySet) -> Value {
        let native = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        let mut architectures = self.architectures.clone();
        architectures.extend(self.arch_map.iter().filter(|map| map.is_native()).flat_map(ArchMap::names));
        let rule = |calls: &&Calls| {
            let mut names = calls.names.clone();
            names.extend(Some(calls.name.clone()).filter(|name| !name.is_empty()));
            let mut rule = json!({ "names": names, "action": calls.action });
            if let Some(errno) = calls.errno_ret {
                rule["errnoRet"] = json!(errno);
            }
            if let Some(args) = calls.args.as_ref().filter(|args| !args.is_empty()) {
                rule["args"] = json!(args);
            }
            rule
        };
        let rules: Vec<Value> = self.counting(capabilities, native).iter().map(rule).collect();
        let mut all = json!({
            "defaultAction": self.default_action, "architectures": architectures, "syscalls": rules,
        });
        if let Some(errno) = self.default_errno_ret {
            all["defaultErrnoRet"] = json!(errno);
        }
        all
    }

    /// Whether calls of the other instruction set are filtered by the profile, too.
    fn knows(&self, native: &str, other: &str) -> bool {
        self.architectures.iter().any(|name| name == other)
            || self.arch_map.iter().any(|map| {
                let below = map.sub_architectures.as_deref().unwrap_or_default();
                map.architecture == native && below.iter().any(|name| name == other)
            })
    }

    /// What happens to calls from a number on, until the next.
    fn ranges(&self, rules: &[&Calls], numbers: &str) -> Vec<(u32, Filter)> {
        let default = vec![answer(code(self.default_action, self.default_errno_ret))];
        let mut calls: Vec<(u32, Filter)> = numbers
            .split_ascii_whitespace()
            .filter_map(|word| {
                let (name, number) = word.split_once('=')?;
                let own: Vec<&&Calls> = rules
                    .iter()
                    .filter(|calls| calls.name == name || calls.names.iter().any(|n| n == name))
                    .collect();
                (!own.is_empty())
                    .then(|| number.parse().ok().map(|number| (number, chain(&own, &default))))?
            })
            .collect();
        calls.sort_by_key(|(number, _)| *number);
        let mut ranges: Vec<(u32, Filter)> = vec![(0, default.clone())];
        let mut add = |start: u32, code: Filter| match ranges.last_mut() {
            Some((_, last)) if *last == code => {}
            Some((number, last)) if *number == start => *last = code,
            _ => ranges.push((start, code)),
        };
        let mut next = 0;
        for (number, code) in calls {
            if number > next {
                add(next, default.clone());
            }
            add(number, code);
            next = number + 1;
        }
        add(next, default.clone());
        add(X32, vec![answer(bpf::errno(NO_CALL))]);
        ranges
    }
}

impl ArchMap {
    fn is_native(&self) -> bool {
        let native = if cfg!(target_arch = "x86_64") { "SCMP_ARCH_X86_64" } else { "SCMP_ARCH_AARCH64" };
        self.architecture == native
    }

    fn names(&self) -> Vec<String> {
        let below = self.sub_architectures.iter().flatten().cloned();
        std::iter::once(self.architecture.clone()).chain(below).collect()
    }
}

/// The rules of one call: those with conditions first, then the one without, else the default.
fn chain(rules: &[&&Calls], default: &Filter) -> Filter {
    let is_plain = |calls: &Calls| calls.args.as_ref().is_none_or(Vec::is_empty);
    let mut code = Filter::new();
    for calls in rules.iter().filter(|calls| !is_plain(calls)) {
        let verdict = answer(self::code(calls.action, calls.errno_ret));
        let tests: Vec<Filter> = calls.args.iter().flatten().map(condition).collect();
        // Each test goes on if it holds, and past the answer if not: what is left after it is known from the end.
        let mut body = vec![verdict];
        for test in tests.iter().rev() {
            let mut whole = test.clone();
            whole.push(skip(body.len() as u32));
            whole.extend(body);
            body = whole;
        }
        code.extend(body);
    }
    match rules.iter().find(|calls| is_plain(calls)) {
        Some(calls) => code.push(answer(self::code(calls.action, calls.errno_ret))),
        None => code.extend(default),
    }
    code
}

/// Jumps over the next instruction if the condition holds, and goes on to it if not.
fn condition(argument: &Argument) -> Filter {
    let Argument { index, value, value_two, op } = argument;
    let (low, high) = (load(low_half(*index)), load(high_half(*index)));
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    let (top, bottom) = halves(*value);
    match op {
        Operator::Eq => vec![high, equal(top, 0, 2), low, equal(bottom, 1, 0)],
        Operator::Ne => vec![high, equal(top, 0, 3), low, equal(bottom, 0, 1)],
        Operator::Gt => vec![high, greater(top, 4, 0), equal(top, 0, 2), low, greater(bottom, 1, 0)],
        Operator::Ge => vec![high, greater(top, 4, 0), equal(top, 0, 2), low, at_least(bottom, 1, 0)],
        Operator::Lt => vec![high, greater(top, 3, 0), equal(top, 0, 3), low, at_least(bottom, 0, 1)],
        Operator::Le => vec![high, greater(top, 3, 0), equal(top, 0, 3), low, greater(bottom, 0, 1)],
        Operator::MaskedEq => {
            let (two_top, two_bottom) = halves(*value_two);
            vec![high, and(top), equal(two_top, 0, 3), low, and(bottom), equal(two_bottom, 1, 0)]
        }
    }
}

/// What the kernel is answered.
fn code(action: Action, errno: Option<u32>) -> u32 {
    match action {
        Action::Allow => bpf::ALLOW,
        // `EPERM` unless said otherwise.
        Action::Errno => bpf::errno(errno.unwrap_or(1) & 0xfff),
        Action::KillThread => bpf::KILL_THREAD,
        Action::KillProcess => bpf::KILL_PROCESS,
        Action::Trap => bpf::TRAP,
        Action::Trace => bpf::TRACE,
        Action::Log => bpf::LOG,
    }
}

/// The first two numbers of a kernel's version.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests;
