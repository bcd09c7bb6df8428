//! Tests of the generated texts.

use super::*;

#[test]
fn the_own_name_is_added_once() {
    assert_eq!(hosts(Some("127.0.0.1 localhost"), &[], "box"), "127.0.0.1 localhost\n127.0.0.1\tbox\n");
    let known = "127.0.0.1\tlocalhost box # box\n";
    assert_eq!(hosts(Some(known), &[], "box"), known);
    assert!(hosts(Some("1.2.3.4 boxer\n# 1.1.1.1 box\n"), &[], "box").ends_with("\n127.0.0.1\tbox\n"));
    assert_eq!(hosts(Some(""), &[], "box"), "127.0.0.1\tbox\n");
    let none = hosts(None, &[], "box");
    assert!(
        none.contains("127.0.0.1\tlocalhost\n") && none.contains("::1") && none.ends_with("127.0.0.1\tbox\n")
    );
}

#[test]
fn a_stub_is_the_one_server_of_its_address() {
    assert!(nameserver_is_stub("# x\nnameserver 127.0.0.53\noptions edns0\n"));
    for text in ["", "nameserver", "nameserver 1.1.1.1\n", "nameserver 127.0.0.53\nnameserver 1.1.1.1\n"] {
        assert!(!nameserver_is_stub(text), "{text}");
    }
}

#[test]
fn added_hosts_come_first() {
    let added =
        [("10.0.0.1".parse().unwrap(), "db cache".to_owned()), ("::1".parse().unwrap(), "six".to_owned())];
    let text = hosts(Some("10.0.0.2 db\n"), &added, "box");
    assert_eq!(text, "10.0.0.1\tdb cache\n::1\tsix\n10.0.0.2 db\n127.0.0.1\tbox\n");
}

#[test]
fn what_was_asked_for_takes_the_place_of_the_hosts() {
    let host = "# here\nsearch a b\nnameserver 1.1.1.1\nnameserver 2.2.2.2\noptions edns0\n";
    assert_eq!(resolver(host, &[], &[], &[]), host);
    let words = |text: &str| vec![text.to_owned()];
    let server = ["9.9.9.9".parse().unwrap()];
    assert_eq!(resolver(host, &server, &[], &[]), "nameserver 9.9.9.9\n# here\nsearch a b\noptions edns0\n");
    assert_eq!(
        resolver(host, &server, &words("c"), &words("ndots:3")),
        "search c\nnameserver 9.9.9.9\noptions ndots:3\n# here\n"
    );
    assert!(!resolver(host, &[], &words("."), &[]).contains("search"));
}
