//! Tests of what a bundle says. That a runtime takes it is told by the stories of `run`.

use super::*;
use crate::sandbox::{DeviceNode, Resources, tests::spec};

fn made(change: impl FnOnce(&mut Spec)) -> Value {
    let mut spec = spec(&["sh", "-c", "x"]);
    change(&mut spec);
    let facts = Facts::from_text("0 0 4294967295", "0 0 4294967295", "allow");
    let sources = [("/data".into(), "/scratch/mount-0".into())];
    config(&spec, &Runtime::default(), &sources, "id", &facts)
}

#[test]
fn the_command_and_its_surroundings_are_in_it() {
    let config = made(|spec| {
        spec.user.uid = 5;
        spec.limits = vec![(7, (1, 2))];
        spec.mask = vec!["/secret".into()];
        spec.unmask = vec!["/proc/sys".into()];
    });
    assert_eq!(config["process"]["args"], json!(["sh", "-c", "x"]));
    assert_eq!(config["process"]["rlimits"], json!([{ "type": "RLIMIT_NOFILE", "soft": 1, "hard": 2 }]));
    assert_eq!(config["process"]["capabilities"]["effective"], json!([]), "only root has any");
    assert_eq!(config["hostname"], "box");
    let text = config.to_string();
    assert!(
        text.contains("/scratch/mount-0") && text.contains("\"/secret\"") && !text.contains("\"/proc/sys\"")
    );
    assert!(config["linux"]["seccomp"]["syscalls"].as_array().unwrap().len() > 5);
}

#[test]
fn namespaces_of_the_host_are_not_made() {
    let kinds = |config: &Value| -> Vec<String> {
        let all = config["linux"]["namespaces"].as_array().unwrap();
        all.iter().map(|namespace| namespace["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&made(|_| ())), ["cgroup", "ipc", "pid", "uts", "mount"]);
    let config = made(|spec| (spec.namespaces.uts, spec.namespaces.pid) = (Space::Host, Space::Host));
    assert_eq!(kinds(&config), ["cgroup", "ipc", "mount"]);
    assert_eq!(config["hostname"], Value::Null);
}

#[test]
fn devices_and_limits_are_the_runtimes_business() {
    let config = made(|spec| {
        spec.resources = Resources {
            memory: Some(5),
            cpu_quota: Some(7),
            parent: Some("/p".into()),
            ..Resources::default()
        };
        spec.devices = vec![DeviceNode {
            source: "/dev/full".into(),
            at: "/dev/x".into(),
            block: false,
            number: (1, 7),
            mode: 0o666,
            owner: (0, 0),
            access: "r".into(),
        }];
    });
    let resources = &config["linux"]["resources"];
    assert_eq!((&resources["memory"]["limit"], &resources["cpu"]["quota"]), (&json!(5), &json!(7)));
    assert_eq!(resources["devices"][1]["access"], "r");
    assert_eq!(config["linux"]["devices"][0]["path"], "/dev/x");
    assert_eq!(config["linux"]["cgroupsPath"], "/p/id");
}
