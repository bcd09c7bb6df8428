//! Tests of the order of the plan: pure, on handles of `/dev/null`.

use super::*;
use crate::sandbox::ExecLabel;
use crate::sandbox::tests::spec;

fn null() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

fn plan(spec: &Spec) -> Result<Vec<String>> {
    let devices = Devices {
        directory: null(),
        borrowed: vec![(c"null".into(), null())],
        terminals: null(),
        memory: null(),
    };
    let mounts = spec.mounts.iter();
    let mounts = mounts.map(|m| Mount { source: null(), is_dir: m.is_dir, at: m.at.clone() }).collect();
    let terminal = spec.terminal.then(null);
    let prepared = Prepared {
        root: null(),
        devices,
        mounts,
        streams: [None, None, None],
        terminal,
        unified_cgroups: true,
        joined: Vec::new(),
        groups: Vec::new(),
        users: None,
        network_up: None,
    };
    let facts = Facts::from_text("", "", "");
    let program = compile(spec, prepared, &facts)?;
    let name = |step: &Step| {
        let text = format!("{step:?}");
        match step {
            Step::Mount { at, .. } => format!("Mount {}", at.to_string_lossy()),
            _ => text.split([' ', '(']).next().unwrap().to_owned(),
        }
    };
    Ok(program.steps().iter().map(name).collect())
}

#[test]
fn privileges_go_in_the_one_right_order() {
    let label = ExecLabel { path: c"/proc/thread-self/attr/exec".into(), value: c"a:b:c".into() };
    let steps = plan(&Spec { exec_labels: vec![label], ..spec(&["x"]) }).unwrap();
    let at = |name: &str| {
        steps.iter().position(|step| step == name).unwrap_or_else(|| panic!("{name}: {steps:?}"))
    };
    assert_eq!(steps[0], "Private", "before any mount");
    assert_eq!(steps.last().unwrap(), "Exec");
    let order = [
        "Cover",
        "Mount proc",
        "Mount dev",
        "Mask",
        "Mount dev/pts",
        "Mount dev/shm",
        "Pivot",
        "Hostname",
        "Session",
        "Directory",
        "Label",
        "Seccomp",
        "Bound",
        "Become",
        "Capabilities",
        "Exec",
    ];
    for pair in order.windows(2) {
        assert!(at(pair[0]) < at(pair[1]), "{pair:?}: {steps:?}");
    }
    let last_mask = steps.iter().rposition(|step| step == "Mask" || step == "Protect").unwrap();
    assert!(last_mask < at("Mount dev/pts"), "masks copy the still empty directory: {steps:?}");
    assert!(last_mask < at("Pivot"));
}

#[test]
fn the_command_is_looked_for_in_its_own_path() {
    let candidates = |name: &str, path: Option<&str>| {
        let mut spec = spec(&[name]);
        spec.env = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
        format!("{:?}", command(&spec).unwrap()).split("args").next().unwrap().to_owned()
    };
    assert!(candidates("x", Some("/a:/b")).contains(r#"["/a/x", "/b/x"]"#));
    assert!(candidates("x", Some(":/b")).contains(r#"["x", "/b/x"]"#));
    assert!(candidates("x", None).contains(r#"["x"]"#));
    assert!(candidates("./x", Some("/a")).contains(r#"["./x"]"#));
}

#[test]
fn nonsense_is_refused() {
    let refused = |change: fn(&mut Spec)| {
        let mut spec = spec(&["x"]);
        change(&mut spec);
        plan(&spec).unwrap_err()
    };
    refused(|spec| spec.args.clear());
    refused(|spec| spec.env.push(("A".into(), "\0".into())));
    refused(|spec| spec.hostname = "a\0b".into());
    refused(|spec| spec.mounts.push(Mount { source: null(), is_dir: true, at: "/x/..".into() }));
}
