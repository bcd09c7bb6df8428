//! Tests of what the options mean.

use super::*;

fn options(words: &[&str]) -> Result<SlirpOptions> {
    SlirpOptions::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

#[test]
fn addresses_follow_from_the_network() {
    let usual = options(&[]).unwrap();
    assert_eq!((usual.name_server(), usual.host()), (Ipv4Addr::new(10, 0, 2, 3), None));
    let other = options(&["cidr=10.9.8.7/16", "allow_host_loopback=true", "mtu=1500"]).unwrap();
    assert_eq!(
        (other.name_server(), other.host()),
        (Ipv4Addr::new(10, 9, 0, 3), Some(Ipv4Addr::new(10, 9, 0, 2)))
    );
}

#[test]
fn what_it_is_not_told_is_refused_by_name() {
    for bad in [
        "cidr=10.0.0.0",
        "cidr=10.0.0.0/0",
        "cidr=10.0.0.0/33",
        "mtu=1",
        "mtu=70000",
        "enable_ipv6=maybe",
        "port_handler=slirp4netns",
        "outbound_addr=eth0",
        "nosuch",
        "",
    ] {
        let error = options(&[bad]).unwrap_err();
        assert!(error.to_string().contains(&format!("`{bad}`")), "{error}");
    }
}
