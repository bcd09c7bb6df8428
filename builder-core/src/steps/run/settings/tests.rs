//! Tests of settings laid over each other.

use super::*;

#[test]
fn what_is_set_wins_and_lists_are_joined() {
    let limit = |soft| Limit { name: "nofile".into(), soft, hard: 9 };
    let kept = RunSettings {
        cap_add: vec!["kill".into()],
        limits: vec![limit(1)],
        network: Some(Network::None),
        shm_size: Some(5),
        resources: Resources {
            memory: Some(7),
            memory_swap: Some(8),
            cpu_shares: Some(3),
            ..Resources::default()
        },
        dns: Dns { none: true, ..Dns::default() },
        ..RunSettings::default()
    };
    assert_eq!(RunSettings::default().over(&kept), kept);
    assert_eq!(kept.over(&RunSettings::default()), kept);
    let new = RunSettings {
        cap_add: vec!["net_raw".into()],
        limits: vec![limit(2)],
        network: Some(Network::Host),
        resources: Resources { memory: Some(6), ..Resources::default() },
        dns: Dns { servers: vec!["1.1.1.1".parse().unwrap()], ..Dns::default() },
        http_proxy: Some(false),
        ..RunSettings::default()
    };
    let both = new.over(&kept);
    assert_eq!(both.cap_add, ["kill", "net_raw"]);
    assert_eq!(both.limits, [limit(1), limit(2)], "the last one counts");
    assert_eq!(both.network, Some(Network::Host));
    assert_eq!((both.shm_size, both.http_proxy), (Some(5), Some(false)));
    assert_eq!(both.resources.memory_swap, None, "it belongs to the other memory");
    assert_eq!(both.resources.cpu_shares, Some(3));
    assert!(!both.dns.none && both.dns.servers == new.dns.servers);
}

#[test]
fn they_are_the_same_when_read_again() {
    let settings = RunSettings {
        add_hosts: vec!["a;b:host-gateway".parse().unwrap(), "six:::1".parse().unwrap()],
        namespaces: Spaces {
            pid: Some(Space::Host),
            ipc: Some(Space::Path("/x".into())),
            ..Spaces::default()
        },
        network: Some(Network::Private { named: false, options: vec!["--map-gw".into()] }),
        devices: vec!["/dev/null:/dev/x:r".parse().unwrap()],
        volumes: vec!["/a:/b:ro".parse().unwrap()],
        ..RunSettings::default()
    };
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<RunSettings>(&text).unwrap(), settings);
}
