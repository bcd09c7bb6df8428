//! Tests of what is read of the host.

use super::*;

#[test]
fn the_host_has_its_names_where_it_can_be_reached() {
    let line = |run: &Run, network: &Network| {
        run.host_names(network).map(|(address, names)| format!("{address} {names}"))
    };
    let private = |options: &[&str]| Network::Private {
        named: true,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let mut run = Run::default();
    let both = "host.containers.internal host.docker.internal";
    assert_eq!(line(&run, &Network::Host), Some(format!("127.0.0.1 {both}")));
    assert_eq!(line(&run, &Network::None), None);
    assert_eq!(line(&run, &private(&[])), None);
    let mapped = private(&["--mtu", "1400", "--map-guest-addr", "169.254.1.2"]);
    assert_eq!(line(&run, &mapped), Some(format!("169.254.1.2 {both}")));
    let loopback = Network::Slirp { options: vec!["allow_host_loopback=true".into()] };
    assert_eq!(line(&run, &loopback), Some(format!("10.0.2.2 {both}")));
    run.settings.add_hosts = vec!["host.docker.internal:192.0.2.1".parse().unwrap()];
    assert_eq!(line(&run, &Network::Host).unwrap(), "127.0.0.1 host.containers.internal");
    run.host_name = HostName::Given("192.0.2.7".parse().unwrap());
    assert_eq!(line(&run, &Network::None).unwrap(), "192.0.2.7 host.containers.internal");
    run.host_name = HostName::Absent;
    assert_eq!(line(&run, &Network::Host), None);
}

#[test]
fn the_default_route_names_the_gateway() {
    let routes = "Iface\tDestination\tGateway\neth0\t000200C0\t00000000\neth0\t00000000\t010200C0\t0003\n";
    assert_eq!(default_gateway(routes), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(default_gateway("Iface\n"), None);
    assert_eq!(default_gateway("Iface\neth0 00000000 xyz\n"), None);
}
