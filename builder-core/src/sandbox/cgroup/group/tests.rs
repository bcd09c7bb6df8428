//! Tests of what is written where; that it limits is told by the stories of `run`.

use super::*;
use crate::testing::{not_run, require_root};

fn written(resources: &Resources) -> (Vec<String>, Vec<String>) {
    let settings = settings(resources);
    let show = |(name, value): &(&str, String)| format!("{name}={value}");
    (
        settings.iter().map(|setting| show(&setting.old)).collect(),
        settings.iter().map(|setting| show(&setting.new)).collect(),
    )
}

#[test]
fn limits_are_translated_for_both_versions() {
    let memory = Resources { memory: Some(1000), ..Resources::default() };
    assert_eq!(
        written(&memory),
        (
            vec!["memory.limit_in_bytes=1000".into(), "memory.memsw.limit_in_bytes=2000".into()],
            vec!["memory.max=1000".into(), "memory.swap.max=1000".into()]
        )
    );
    let swap = |both| Resources { memory_swap: Some(both), ..memory.clone() };
    assert_eq!(written(&swap(1500)).1[1], "memory.swap.max=500");
    assert_eq!(written(&swap(-1)).1[1], "memory.swap.max=max");
    assert_eq!(written(&swap(-1)).0[1], "memory.memsw.limit_in_bytes=-1");
    let cpu = Resources {
        cpu_period: Some(5000),
        cpu_quota: Some(2500),
        cpu_shares: Some(1024),
        ..Resources::default()
    };
    assert_eq!(written(&cpu).0, ["cpu.shares=1024", "cpu.cfs_period_us=5000", "cpu.cfs_quota_us=2500"]);
    assert_eq!(written(&cpu).1, ["cpu.weight=39", "cpu.max=2500 5000", "cpu.max=2500 5000"]);
    let quota = Resources { cpu_quota: Some(-1), ..Resources::default() };
    assert_eq!(written(&quota).1, ["cpu.max=max 100000"]);
    assert_eq!(written(&Resources::default()), (vec![], vec![]));
}

#[test]
fn a_controller_that_nobody_has_is_named() {
    let error = delegate(&Layout::default(), &Resources::default(), &["memory"]).unwrap_err();
    assert!(format!("{error:?}").contains("`memory`") && error.hint_text().is_some(), "{error:?}");
}

#[test]
fn the_parent_is_from_the_root_or_from_our_own() {
    let hierarchy = Hierarchy { mount: "/cg".into(), own: "/cg/own".into() };
    let at = |parent: &str| {
        let resources = Resources { parent: Some(parent.into()), ..Resources::default() };
        above(&hierarchy, &resources, &hierarchy.own)
    };
    assert_eq!(at("/a/b"), Path::new("/cg/a/b"));
    assert_eq!(at("a"), Path::new("/cg/own/a"));
}

#[test]
fn in_version_2_a_program_keeps_the_command_from_a_part_of_a_device() {
    let test = "in_version_2_a_program_keeps_the_command_from_a_part_of_a_device";
    if !require_root(test) {
        return;
    }
    let read = |path| fs::read_to_string(path).expect("a file of the kernel's");
    let mut layout = Layout::parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
    layout.single.clear();
    if layout.unified.is_none() {
        not_run(test, "needs control groups of version 2");
        return;
    }
    let device = |path: &str, minor, access: &str| DeviceNode {
        source: path.into(),
        at: path.into(),
        block: false,
        number: (1, minor),
        mode: 0o666,
        owner: (0, 0),
        access: access.into(),
    };
    let mut groups = Groups::default();
    let name = format!("{PREFIX}{}-{}", std::process::id(), random::hex(4));
    for device in [device("/dev/null", 3, "r"), device("/dev/zero", 5, "w")] {
        if let Err(error) = groups.deny(&layout, &Resources::default(), &name, &device) {
            assert_eq!(error.os_error(), Some(Errno::PERM.raw_os_error()), "{error:?}");
            not_run(test, "needs the right to load programs into the kernel");
            return;
        }
    }
    assert_eq!(groups.made.len(), 1);
    let group = groups.made[0].display().to_string();
    let works = |script: &str| {
        let script = format!("echo $$ >{group}/cgroup.procs || exit 9; {script}");
        let ended = std::process::Command::new("sh").args(["-c", &script]).status().expect("a shell starts");
        assert_ne!(ended.code(), Some(9), "the shell is in the group");
        ended.success()
    };
    assert!(works("cat </dev/null") && works("echo x >/dev/zero") && works("echo x >/dev/full || true"));
    assert!(!works("echo x >/dev/null") && !works("head -c 1 </dev/zero"));
    drop(groups);
    assert!(!Path::new(&group).exists());
}
