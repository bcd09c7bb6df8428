//! The filter against its own table, by an interpreter of the few instructions it uses; and against runc with the
//! field's profile, call by call.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::*;
use crate::sandbox::tests::spec;
use crate::sandbox::{Exit, Facts, Mount, run};
use crate::sys::bpf::interpret;
use crate::testing::{not_run, require_root};

fn errno(errno: Errno) -> u32 {
    bpf::errno(errno.raw_os_error() as u32)
}

fn numbers(table: &str) -> BTreeMap<u32, &str> {
    let pairs = table.split_ascii_whitespace().map(|word| word.split_once('=').unwrap());
    pairs.map(|(name, number)| (number.parse().unwrap(), name)).collect()
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_search_finds_what_the_table_says() {
    for capabilities in [CapabilitySet::empty(), crate::sandbox::DEFAULT_CAPABILITIES, CapabilitySet::all()] {
        let filter = default_filter(capabilities).unwrap();
        assert!(filter.len() < 1024, "{} instructions; the kernel takes 4096", filter.len());
        let verdicts = verdicts(capabilities);
        let tables = [
            (AUDIT_X86_64, include_str!("numbers/x86_64.txt")),
            (AUDIT_X86, include_str!("numbers/x86.txt")),
        ];
        for (architecture, table) in tables {
            let names = numbers(table);
            // Also the numbers of the x32 ABI, which nothing may use.
            for number in (0..1000).chain(0x4000_0000..0x4000_0400).chain([u32::MAX]) {
                let expected = match names.get(&number).and_then(|name| verdicts.get(name)) {
                    None => errno(Errno::NOSYS),
                    Some(Verdict::Refuse(refusal)) => errno(*refusal),
                    // With all arguments 0 both of these are allowed.
                    Some(Verdict::Allow | Verdict::Personality | Verdict::Socket) => bpf::ALLOW,
                };
                let found = interpret(&filter, architecture, number, [0; 3]);
                assert_eq!(found, expected, "{number} {:?} of {architecture:#x}", names.get(&number));
            }
        }
        assert_eq!(
            interpret(&filter, AUDIT_AARCH64, 0, [0; 3]),
            errno(Errno::NOSYS),
            "another machine's calls"
        );
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn arguments_decide_where_they_should() {
    let filter = default_filter(crate::sandbox::DEFAULT_CAPABILITIES).unwrap();
    // 135 is personality, 41 is socket.
    let ask = |number: u32, args| interpret(&filter, AUDIT_X86_64, number, args);
    for allowed in profile::PERSONALITIES {
        assert_eq!(ask(135, [allowed, 0, 0]), bpf::ALLOW, "{allowed:#x}");
    }
    for refused in [1, 9, 0x40000, 0x20001, 1 << 32, u64::MAX] {
        assert_eq!(ask(135, [refused, 0, 0]), errno(Errno::NOSYS), "{refused:#x}");
    }
    assert_eq!(ask(41, [16, 3, 9]), errno(Errno::INVAL));
    // The kernel drops the upper halves, so they must not open a way around.
    assert_eq!(ask(41, [16 | 1 << 32, 3, 9 | 1 << 40]), errno(Errno::INVAL));
    assert_eq!(ask(41, [16, 3, 0]), bpf::ALLOW);
    assert_eq!(ask(41, [2, 3, 9]), bpf::ALLOW);
    let audit = default_filter(CapabilitySet::AUDIT_WRITE).unwrap();
    assert_eq!(interpret(&audit, AUDIT_X86_64, 41, [16, 3, 9]), bpf::ALLOW);
}

#[test]
fn every_name_of_the_profile_has_a_number_somewhere() {
    let tables = [
        include_str!("numbers/x86_64.txt"),
        include_str!("numbers/x86.txt"),
        include_str!("numbers/aarch64.txt"),
    ];
    for name in verdicts(CapabilitySet::empty()).keys() {
        let has =
            |table: &str| table.split_ascii_whitespace().any(|word| word.split_once('=').unwrap().0 == *name);
        assert!(tables.iter().any(|table| has(table)), "{name}");
    }
    for table in tables {
        let mut last = None;
        for (number, name) in table.split_ascii_whitespace().map(|word| {
            let (name, number) = word.split_once('=').unwrap();
            (number.parse::<u32>().unwrap(), name)
        }) {
            assert!(last < Some(number), "{name}={number} is in order and no number comes twice");
            last = Some(number);
        }
    }
}

/// Makes every call in a process of its own with arguments that are nonsense to all, and says what came of it. Left
/// out: fork and vfork, which would go on twice, and pause, which would not go on.
const PROBE: &str = r#"
use strict; open(my $out, '>', '/out/calls') or die; select((select($out), $| = 1)[0]);
my @calls = map { [$_, -1, -1, -1, -1, -1, -1] } grep { $_ != 34 && $_ != 57 && $_ != 58 } 0 .. 475;
push @calls, map { [135, $_] } 0, 8, 0x20000, 0x20008, 0xffffffff, 1, 0x20001;
push @calls, [41, 16, 3, 9], [41, 16, 3, 0], [41, 1, 1, 0], [41, 2, 2, 9];
for my $call (@calls) {
    pipe(my $read, my $write) or die;
    my $pid = fork;
    if (!$pid) {
        my $result = syscall($call->[0], @$call[1 .. $#$call]);
        my $errno = $result == -1 ? $! + 0 : 0;
        syswrite $write, $errno; kill 9, $$; exit;
    }
    close $write; sysread $read, my $said, 10; waitpid $pid, 0;
    print $out join(' ', @$call), ' = ', ($said ne '' ? $said : 'ended'), "\n";
}
"#;

/// The host's directories the probe needs, and `/out`.
const SHARED: [&str; 4] = ["/usr", "/lib", "/lib64", "/bin"];

/// The profile as runc takes it: without the parts for other machines and other capabilities.
fn runtime_profile(profile: &Value) -> Value {
    let ours: Vec<String> =
        crate::sandbox::DEFAULT_CAPABILITIES.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
    let names = |value: &Value, key: &str| -> Vec<String> {
        value[key].as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut calls = Vec::new();
    for rule in profile["syscalls"].as_array().unwrap() {
        let (includes, excludes) = (&rule["includes"], &rule["excludes"]);
        let arches = names(includes, "arches");
        let wanted = (arches.is_empty() || arches.iter().any(|arch| arch == "amd64"))
            && names(includes, "caps").iter().all(|cap| ours.contains(cap))
            && !names(excludes, "caps").iter().any(|cap| ours.contains(cap));
        if wanted {
            let mut call = json!({"names": rule["names"], "action": rule["action"]});
            for key in ["errnoRet", "args"] {
                if rule.get(key).is_some_and(|value| !value.is_null()) {
                    call[key] = rule[key].clone();
                }
            }
            calls.push(call);
        }
    }
    json!({"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": calls})
}

fn probe_under_runc(dir: &Path, profile: &Value) -> String {
    let bundle = dir.join("bundle");
    let out = dir.join("runc-out");
    fs::create_dir_all(bundle.join("rootfs")).unwrap();
    fs::create_dir(&out).unwrap();
    assert!(Command::new("runc").arg("spec").current_dir(&bundle).status().unwrap().success());
    let mut config: Value = serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
    let caps: Vec<String> =
        crate::sandbox::DEFAULT_CAPABILITIES.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
    config["process"]["terminal"] = json!(false);
    config["process"]["noNewPrivileges"] = json!(false);
    config["process"]["args"] = json!(["/usr/bin/perl", "-e", PROBE]);
    config["process"]["capabilities"] = json!({"bounding": caps, "effective": caps, "permitted": caps});
    config["process"]["rlimits"] = json!([]);
    config["root"]["readonly"] = json!(false);
    config["linux"]["seccomp"] = runtime_profile(profile);
    let mounts = config["mounts"].as_array_mut().unwrap();
    for path in SHARED {
        mounts.push(json!({"source": path, "destination": path, "type": "bind", "options": ["rbind", "ro"]}));
    }
    mounts.push(json!({"source": out, "destination": "/out", "type": "bind", "options": ["rbind"]}));
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let id = format!("kiln-test-{}", std::process::id());
    let mut run = Command::new("runc");
    run.arg("--root").arg(dir.join("state")).args(["run", "-b"]).arg(&bundle).arg(id);
    let output = run.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(out.join("calls")).unwrap()
}

fn probe_under_kiln(dir: &Path) -> String {
    use crate::sys::mount_attr;
    use rustix::mount::{MountAttrFlags, OpenTreeFlags};
    let (rootfs, out) = (dir.join("rootfs"), dir.join("kiln-out"));
    fs::create_dir(&rootfs).unwrap();
    fs::create_dir(&out).unwrap();
    let mount = |source: &Path, at: &str| {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let mut tree = rustix::mount::open_tree(rustix::fs::CWD, source, flags).unwrap();
        if at != "/out" {
            tree = mount_attr::restrict(tree, MountAttrFlags::MOUNT_ATTR_RDONLY, false).unwrap();
        }
        Mount { source: tree, is_dir: true, at: at.into() }
    };
    let mut spec = spec(&["/usr/bin/perl", "-e", PROBE]);
    spec.mounts = SHARED.iter().map(|path| mount(Path::new(path), path)).collect();
    spec.mounts.push(mount(&out, "/out"));
    let root = crate::sys::mount::clone_of(&rootfs).unwrap();
    let exit = run(root, spec, &Facts::probe(), &crate::event::Silent).unwrap();
    assert_eq!(exit, Exit::Code(0));
    fs::read_to_string(out.join("calls")).unwrap()
}

#[test]
#[cfg(target_arch = "x86_64")]
fn every_call_is_answered_as_runc_answers_it() {
    let test = "every_call_is_answered_as_runc_answers_it";
    let profile = Path::new("/usr/share/containers/seccomp.json");
    if !profile.exists() || !Path::new("/usr/sbin/runc").exists() && !Path::new("/usr/bin/runc").exists() {
        return not_run(test, "needs runc and the profile of containers-common");
    }
    if !Path::new("/usr/bin/perl").exists() {
        return not_run(test, "needs perl");
    }
    if !require_root(test) {
        return;
    }
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let profile: Value = serde_json::from_slice(&fs::read(profile).unwrap()).unwrap();
    let (theirs, ours) = (probe_under_runc(dir.path(), &profile), probe_under_kiln(dir.path()));
    assert!(theirs.lines().count() > 480, "{theirs}");
    let names = numbers(include_str!("numbers/x86_64.txt"));
    let since: Vec<&str> = profile::ALLOWED_SINCE.split_ascii_whitespace().collect();
    let mut different = Vec::new();
    for (theirs, ours) in theirs.lines().zip(ours.lines()) {
        let number: u32 = ours.split(' ').next().unwrap().parse().unwrap();
        let name = names.get(&number).copied().unwrap_or("?");
        // A profile older than the call refuses it as unknown.
        if theirs != ours && !(since.contains(&name) && theirs.ends_with("= 38")) {
            different.push(format!("{name}: runc {theirs}, kiln {ours}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!(theirs.lines().count(), ours.lines().count());
}
