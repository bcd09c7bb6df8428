//! Which rule fits which image.

use super::*;

fn rules(text: &str) -> Rules {
    serde_json::from_str(text).unwrap()
}

#[test]
fn patterns_are_matched_as_a_whole() {
    for (text, pattern, fits) in [
        ("abc", "abc", true),
        ("abc", "a*", true),
        ("abc", "*c", true),
        ("abc", "a?c", true),
        ("abc", "a?", false),
        ("abc", "b*", false),
        ("", "*", true),
        ("", "?", false),
        ("aab", "*ab", true),
        ("docker-image://h/a:1", "docker-image://*/a:*", true),
    ] {
        assert_eq!(is_like(text.as_bytes(), pattern.as_bytes()), fits, "{text} {pattern}");
    }
    let long = "a".repeat(100_000);
    assert!(!is_like(long.as_bytes(), b"*a*a*a*b"));
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = rules(
        r#"{"rules": [
            {"action": "ALLOW",
             "selector": {"identifier": "docker-image://registry.example/ok:1", "matchType": "EXACT"}},
            {"action": "CONVERT", "selector": {"identifier": "docker-image://registry.example/old:*"},
             "updates": {"identifier": "docker-image://registry.example/new:2"}},
            {"action": "DENY", "selector": {"identifier": "docker-image://registry.example/*"}}]}"#,
    );
    assert_eq!(rules.apply("registry.example/ok:1").unwrap(), "registry.example/ok:1");
    assert_eq!(rules.apply("registry.example/old").unwrap(), "registry.example/new:2");
    assert_eq!(rules.apply("localhost/other").unwrap(), "localhost/other");
    let error = rules.apply("registry.example/ok:2").unwrap_err();
    assert!(error.to_string().contains("cannot use the image"), "{error}");
    assert_eq!(Rules::default().apply("any").unwrap(), "any");
}

#[test]
fn what_is_no_policy_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy.json");
    for text in [
        "",
        "[]x",
        r#"{"rules": [{"action": "EAT", "selector": {"identifier": "x"}}]}"#,
        r#"{"rules": [{"action": "DENY"}]}"#,
        r#"{"rules": [{"action": "DENY", "selector": {"identifier": ""}}]}"#,
        r#"{"rules": [{"action": "CONVERT", "selector": {"identifier": "x"}}]}"#,
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(Rules::read(&path).is_err(), "{text}");
    }
}
