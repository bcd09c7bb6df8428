//! Tests of what is read of the host.

use super::*;

#[test]
fn the_default_route_names_the_gateway() {
    let routes = "Iface\tDestination\tGateway\neth0\t000200C0\t00000000\neth0\t00000000\t010200C0\t0003\n";
    assert_eq!(default_gateway(routes), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(default_gateway("Iface\n"), None);
    assert_eq!(default_gateway("Iface\neth0 00000000 xyz\n"), None);
}
