//! Tests of words: what each means, and that nonsense is refused with the word in the message.

use super::*;

fn refused<T: std::fmt::Debug>(result: Result<T>, word: &str) {
    let error = result.expect_err(word);
    let message = format!("{error:?}");
    assert!(message.starts_with("cannot ") && message.contains(word), "{word}: {message}");
    assert!(message.len() < 1000, "{message}");
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [
        ("0", 0),
        ("17", 17),
        ("17b", 17),
        ("2k", 2048),
        ("2KB", 2048),
        ("2 kib", 2048),
        ("1.5g", 3 << 29),
        ("64M", 64 << 20),
        ("1t", 1 << 40),
        ("9223372036854775807", i64::MAX as u64),
    ] {
        assert_eq!(parse_size(text), Some(bytes), "{text}");
    }
    for text in [
        "",
        "k",
        "-1",
        "+1",
        "1x",
        "1kk",
        "1.k",
        ".5k",
        "1.2.3k",
        "9223372036854775808",
        "99999999t",
        "0x10",
        "1e3",
        "m1",
        "∞",
    ] {
        assert_eq!(parse_size(text), None, "{text}");
    }
}

#[test]
fn hosts_have_names_and_an_address() {
    let entry: HostEntry = "db;cache:10.0.0.7".parse().unwrap();
    assert_eq!(entry.names, ["db", "cache"]);
    assert_eq!(entry.address, HostAddress::Ip("10.0.0.7".parse().unwrap()));
    for text in ["six:::1", "six:[::1]", "six=::1"] {
        assert_eq!(
            text.parse::<HostEntry>().unwrap().address,
            HostAddress::Ip("::1".parse().unwrap()),
            "{text}"
        );
    }
    assert_eq!("h:host-gateway".parse::<HostEntry>().unwrap().address, HostAddress::HostGateway);
    for text in [
        "",
        "db",
        "db:",
        ":1.1.1.1",
        "db:1.1.1",
        "a b:1.1.1.1",
        "a\nb:1.1.1.1",
        "db:1.1.1.1\n2.2.2.2 x",
        "a;:1.1.1.1",
    ] {
        assert!(text.parse::<HostEntry>().is_err(), "{text:?}");
    }
    refused("db:nowhere".parse::<HostEntry>(), "nowhere");
}

#[test]
fn name_servers_are_addresses() {
    let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let dns = |servers, search, options| Dns::parse(&words(servers), &words(search), &words(options));
    assert_eq!(dns("", "", "").unwrap(), Dns::default());
    assert!(dns("none", "", "").unwrap().none);
    assert_eq!(dns("1.1.1.1 ::1", "a.b", "ndots:1").unwrap().servers.len(), 2);
    refused(dns("one.one", "", ""), "one.one");
    refused(dns("none 1.1.1.1", "", ""), "none");
    refused(dns("none", "a", ""), "none");
    refused(Dns::parse(&[], &["a\nnameserver 6.6.6.6".into()], &[]), "--dns-search");
}

#[test]
fn limits_have_a_name_and_numbers() {
    let limit = |text: &str| text.parse::<Limit>().map(|limit| (limit.soft, limit.hard));
    assert_eq!(limit("nofile=5").unwrap(), (5, 5));
    assert_eq!(limit("nofile=5:9").unwrap(), (5, 9));
    assert_eq!(limit("core=0:unlimited").unwrap(), (0, u64::MAX));
    assert_eq!(limit("core=-1").unwrap(), (u64::MAX, u64::MAX));
    assert_eq!("host".parse::<Limit>().unwrap().name, "host");
    for (text, word) in [
        ("", "no value"),
        ("nofile", "no value"),
        ("nofile=", "no number"),
        ("nofile=x", "`x`"),
        ("nofile=5:3", "above"),
        ("nofile=99999999999999999999999", "no number"),
        ("nosuch=5", "`nosuch`"),
        ("nofile=1:2:3", "2:3"),
    ] {
        refused(limit(text), word);
    }
}

#[test]
fn resources_are_checked() {
    let ok = Resources {
        memory: Some(10),
        memory_swap: Some(10),
        cpuset_cpus: Some("0-3,7".into()),
        ..Resources::default()
    };
    ok.check().unwrap();
    for (resources, word) in [
        (Resources { memory_swap: Some(10), ..Resources::default() }, "--memory-swap 10"),
        (Resources { memory: Some(20), memory_swap: Some(10), ..Resources::default() }, "--memory-swap 10"),
        (Resources { cpu_shares: Some(1), ..Resources::default() }, "--cpu-shares 1"),
        (Resources { cpu_period: Some(999), ..Resources::default() }, "--cpu-period 999"),
        (Resources { cpu_quota: Some(5), ..Resources::default() }, "--cpu-quota 5"),
        (Resources { cpuset_cpus: Some("3-1".into()), ..Resources::default() }, "3-1"),
        (Resources { cpuset_mems: Some("x".into()), ..Resources::default() }, "--cpuset-mems x"),
        (Resources { cpuset_cpus: Some("99999999".into()), ..Resources::default() }, "99999999"),
        (Resources { parent: Some("/a/../../b".into()), ..Resources::default() }, ".."),
        (Resources { parent: Some(String::new()), ..Resources::default() }, "control group"),
    ] {
        refused(resources.check(), word);
    }
    assert_eq!(Resources::parse_memory_swap("-1").unwrap(), -1);
    refused(Resources::parse_memory("-1"), "-1");
    refused(Resources::parse_memory(&"9".repeat(100_000)), "999");
}

#[test]
fn namespaces_are_private_the_hosts_or_a_path() {
    let parse = |text| Space::parse("--ipc", text);
    for text in ["", "private", "container"] {
        assert_eq!(parse(text).unwrap(), Space::Private, "{text}");
    }
    assert_eq!(parse("host").unwrap(), Space::Host);
    for text in ["/proc/1/ns/ipc", "ns:/proc/1/ns/ipc"] {
        assert_eq!(parse(text).unwrap(), Space::Path("/proc/1/ns/ipc".into()), "{text}");
    }
    refused(parse("nosuch"), "--ipc nosuch");
    refused(parse("ns:relative"), "ns:relative");
}

#[test]
fn networks_are_named() {
    let parse = |text: &str| text.parse::<Network>();
    assert_eq!(parse("host").unwrap(), Network::Host);
    assert_eq!(parse("none").unwrap(), Network::None);
    assert_eq!(parse("private").unwrap(), Network::Private { named: false, options: vec![] });
    let options = vec!["--mtu".to_owned(), "1500".to_owned()];
    assert_eq!(parse("pasta:--mtu,1500").unwrap(), Network::Private { named: true, options });
    assert_eq!(parse("ns:/run/netns/x").unwrap(), Network::Path("/run/netns/x".into()));
    refused(parse("podman"), "podman");
    refused(parse("ns:x"), "ns:x");
    refused(parse("host:x"), "host:x");
    assert!(matches!(parse("slirp4netns:mtu=1500").unwrap(), Network::Slirp { .. }));
    refused(parse("slirp4netns:nosuch=1"), "nosuch=1");
}

#[test]
fn security_options_are_known() {
    let parse = |words: &[&str]| {
        let mut security = Security::default();
        words.iter().try_for_each(|word| security.add(word)).map(|()| security)
    };
    let all = parse(&[
        "seccomp=unconfined",
        "no-new-privileges",
        "mask=/a:/b",
        "unmask=all",
        "label=disable",
        "apparmor=x",
    ]);
    let all = all.unwrap();
    assert_eq!(all.seccomp, Some(Seccomp::Unconfined));
    assert!(all.no_new_privileges);
    assert_eq!((all.mask, all.unmask), (vec!["/a".to_owned(), "/b".to_owned()], vec!["ALL".to_owned()]));
    assert_eq!((all.label, all.apparmor), (vec!["disable".to_owned()], Some("x".to_owned())));
    assert_eq!(parse(&["seccomp=/p"]).unwrap().seccomp, Some(Seccomp::Profile("/p".into())));
    assert_eq!(parse(&["seccomp:unconfined"]).unwrap().seccomp, Some(Seccomp::Unconfined));
    for word in [
        "",
        "x",
        "x=y",
        "seccomp",
        "seccomp=",
        "mask=a",
        "unmask=a",
        "label=x",
        "label=type:",
        "apparmor",
        "no-new-privileges=maybe",
    ] {
        refused(parse(&[word]), "security option");
    }
}
