//! Tests of profiles: what the compiled filter answers to calls, by interpreting it.

use super::*;

const NATIVE: u32 = if cfg!(target_arch = "x86_64") { AUDIT_X86_64 } else { AUDIT_AARCH64 };

/// The number of a call on this machine.
fn number(name: &str) -> u32 {
    let numbers = match cfg!(target_arch = "x86_64") {
        true => include_str!("../numbers/x86_64.txt"),
        false => include_str!("../numbers/aarch64.txt"),
    };
    let mut pairs = numbers.split_ascii_whitespace().filter_map(|word| word.split_once('='));
    pairs.find(|(known, _)| *known == name).unwrap().1.parse().unwrap()
}

fn ask(profile: &str, capabilities: CapabilitySet, call: &str, args: [u64; 3]) -> u32 {
    let filter = Profile::parse(profile.as_bytes()).unwrap().filter(capabilities).unwrap();
    bpf::interpret(&filter, NATIVE, number(call), args)
}

#[test]
fn actions_are_by_name_and_default() {
    let profile = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
        {"names": ["read", "nosuchcall"], "action": "SCMP_ACT_ALLOW"},
        {"name": "write", "action": "SCMP_ACT_ERRNO"},
        {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22},
        {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"}]}"#;
    let ask = |call| ask(profile, CapabilitySet::empty(), call, [0; 3]);
    assert_eq!(ask("read"), bpf::ALLOW);
    assert_eq!(ask("write"), bpf::errno(1));
    assert_eq!(ask("mount"), bpf::errno(22));
    assert_eq!(ask("reboot"), bpf::KILL_PROCESS);
    assert_eq!(ask("openat"), bpf::errno(38));
}

#[test]
fn other_instruction_sets_and_numbers_are_no_way_out() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}"#;
    let filter = Profile::parse(text.as_bytes()).unwrap().filter(CapabilitySet::empty()).unwrap();
    assert_eq!(bpf::interpret(&filter, 0x1234_5678, 1, [0; 3]), bpf::KILL_PROCESS);
    assert_eq!(bpf::interpret(&filter, NATIVE, X32 + number("mount"), [0; 3]), bpf::errno(NO_CALL));
    assert_eq!(bpf::interpret(&filter, NATIVE, number("mount"), [0; 3]), bpf::errno(1));
}

#[test]
fn arguments_are_compared_whole() {
    let big = 1_u64 << 32;
    for (op, value, two, holds, fails) in [
        ("EQ", 5, 0, vec![5], vec![4, 6, big + 5]),
        ("NE", big + 5, 0, vec![5, big, 0], vec![big + 5]),
        ("GT", big + 5, 0, vec![big + 6, 2 * big], vec![big + 5, big, 6]),
        ("GE", big + 5, 0, vec![big + 5, 2 * big], vec![big + 4, 6]),
        ("LT", big + 5, 0, vec![big + 4, 6, 0], vec![big + 5, 2 * big]),
        ("LE", big + 5, 0, vec![big + 5, big, 9], vec![big + 6, 2 * big]),
        ("MASKED_EQ", big + 6, big + 2, vec![big + 2, 3 * big + 2, big + 3], vec![2, big + 6, big + 4]),
    ] {
        let profile = format!(
            r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{{"names": ["read"], "action": "SCMP_ACT_ALLOW",
                "args": [{{"index": 1, "value": {value}, "valueTwo": {two}, "op": "SCMP_CMP_{op}"}},
                    {{"index": 0, "value": 7, "op": "SCMP_CMP_EQ"}}]}}]}}"#
        );
        let ask = |first, second| ask(&profile, CapabilitySet::empty(), "read", [first, second, 0]);
        for argument in holds {
            assert_eq!(ask(7, argument), bpf::ALLOW, "{op} {argument}");
            assert_eq!(ask(8, argument), bpf::errno(1), "{op} {argument}, other");
        }
        for argument in fails {
            assert_eq!(ask(7, argument), bpf::errno(1), "{op} {argument}");
        }
    }
}

#[test]
fn rules_depend_on_capabilities_and_kernels() {
    let profile = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
        {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "excludes": {"caps": ["CAP_BPF"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["kcmp"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "999.0"}},
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["nosuch"]}}]}"#;
    let (none, all) = (CapabilitySet::empty(), CapabilitySet::SYS_CHROOT | CapabilitySet::BPF);
    assert_eq!(ask(profile, none, "chroot", [0; 3]), bpf::errno(1));
    assert_eq!(ask(profile, all, "chroot", [0; 3]), bpf::ALLOW);
    assert_eq!(ask(profile, none, "bpf", [0; 3]), bpf::errno(5));
    assert_eq!(ask(profile, all, "bpf", [0; 3]), bpf::errno(1));
    assert_eq!(ask(profile, none, "ptrace", [0; 3]), bpf::ALLOW);
    assert_eq!(ask(profile, none, "kcmp", [0; 3]), bpf::errno(1));
    assert_eq!(ask(profile, none, "read", [0; 3]), bpf::errno(1));
}

#[test]
fn nonsense_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#,
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "x"}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
    ] {
        assert!(Profile::parse(text.as_bytes()).is_err(), "{text}");
    }
}
