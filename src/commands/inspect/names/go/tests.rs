//! Tests of what Go prints.

use serde_json::json;

use super::*;

fn shown(value: Value, make: fn(&mut Value)) -> String {
    let mut value = value;
    make(&mut value);
    text(&value)
}

#[test]
fn durations_are_those_of_go() {
    let cases = [
        (0_i64, "0s"),
        (999, "999ns"),
        (1_500, "1.5\u{b5}s"),
        (20_000_000, "20ms"),
        (1_000_000_000, "1s"),
        (90_500_000_000, "1m30.5s"),
        (3_600_000_000_000, "1h0m0s"),
        (-30_000_000_000, "-30s"),
    ];
    for (nanoseconds, expected) in cases {
        assert_eq!(shown(json!(nanoseconds), duration), expected);
    }
}

#[test]
fn times_are_those_of_go() {
    let cases = [
        ("2001-09-09T01:46:40Z", "2001-09-09 01:46:40 +0000 UTC"),
        ("2001-09-09T01:46:40.120Z", "2001-09-09 01:46:40.12 +0000 UTC"),
        ("2001-09-09T01:46:40+02:00", "2001-09-09 01:46:40 +0200 +0200"),
        ("no time", "no time"),
        ("", ""),
    ];
    for (written, expected) in cases {
        assert_eq!(shown(json!(written), time), expected);
    }
}

#[test]
fn structs_have_no_names() {
    let mut object = json!({ "B": ["x", "y"], "A": true, "C": { "80/tcp": {} }, "D": null });
    print(&mut object, &["A", "B", "C", "D"]);
    assert_eq!(text(&object), "{true [x y] map[80/tcp:{}] <nil>}");
}
