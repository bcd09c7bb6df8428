//! Tests of amounts.

use crate::parser::size::{bytes, nanoseconds};

#[test]
fn sizes() {
    for (text, expected) in [
        ("0", 0),
        ("42", 42),
        ("42b", 42),
        ("1k", 1024),
        ("1KB", 1024),
        ("1 MiB", 1 << 20),
        ("1.5g", 3 << 29),
        ("2T", 2 << 40),
    ] {
        assert_eq!(bytes(text), Some(expected), "{text}");
    }
    for text in
        ["", "k", "-1", "1x", "1kk", "1bb", "1..5", ".5", "5.", "1e3", "inf", "nan", "9999999p", "1 é"]
    {
        assert_eq!(bytes(text), None, "{text}");
    }
}

#[test]
fn durations() {
    for (text, expected) in
        [("0", 0), ("1ns", 1), ("1.5us", 1500), ("2µs", 2000), ("1h1m1s1ms", 3_661_001_000_000)]
    {
        assert_eq!(nanoseconds(text), Some(expected), "{text}");
    }
    for text in ["", "+", "1", "s", "1d", "-1s", "1s2", ".s", "1.2.3s", "99999999h", "1 s", "é"] {
        assert_eq!(nanoseconds(text), None, "{text}");
    }
}
