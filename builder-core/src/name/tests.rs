//! Names as people type them, good and bad.

use super::*;

fn full(text: &str) -> String {
    text.parse::<Reference>().unwrap().to_string()
}

#[test]
fn a_short_name_is_completed() {
    assert_eq!(full("hello"), "localhost/hello:latest");
    assert_eq!(full("team/hello:1"), "localhost/team/hello:1");
    assert_eq!(full("localhost:5000/hello"), "localhost:5000/hello:latest");
    assert_eq!(full("registry.example/a/b:v1.2-x_y"), "registry.example/a/b:v1.2-x_y");
    assert_eq!(full("[::1]:5000/a"), "[::1]:5000/a:latest");
    let digest = crate::oci::Digest::of(b"");
    assert_eq!(full(&format!("hello@{digest}")), format!("localhost/hello@{digest}"));
    assert_eq!(full(&format!("hello:1@{digest}")), format!("localhost/hello:1@{digest}"));
}

#[test]
fn bad_names_are_refused() {
    let long = "a".repeat(300);
    let bad = [
        "",
        ":",
        "a:",
        "/a",
        "a/",
        "a//b",
        "A",
        "a/B",
        "a:-x",
        "a b",
        "../a",
        "a/../b",
        "a:b:c/d:e:f",
        "a@sha256:00",
        "host.example:99999/a",
        "-x.example/a",
        "a___b",
        "a.",
        "a:\n",
        &long,
    ];
    for text in bad {
        assert!(text.parse::<Reference>().is_err(), "`{text}` was taken");
    }
}

#[test]
fn an_oci_location_has_a_directory_and_perhaps_a_name() {
    let parse = |text: &str| Location::parse(text);
    assert_eq!(parse("oci:/a/b").unwrap(), Location::Oci { dir: "/a/b".into(), name: None });
    assert_eq!(parse("oci:d:x/y:1").unwrap(), Location::Oci { dir: "d".into(), name: Some("x/y:1".into()) });
    for bad in ["oci:", "oci::x", "oci:d:\u{e4}", "oci:d:-x", "docker://a", "dir:/x"] {
        assert!(parse(bad).is_err(), "`{bad}` was taken");
    }
}
