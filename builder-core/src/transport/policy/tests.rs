//! Policies, names in signatures, and signatures that gpg made.

use std::path::Path;

use super::identity::Identity;
use super::{Policy, Requirement, scopes};
use crate::name::{Location, Reference};

fn policy(text: &str) -> crate::Result<Policy> {
    Policy::parse(Path::new("/policy.json"), text)
}

fn location(text: &str) -> Location {
    Location::parse(text).unwrap()
}

#[test]
fn the_most_specific_scope_counts() {
    let accept = r#"[{"type":"insecureAcceptAnything"}]"#;
    let reject = r#"[{"type":"reject"}]"#;
    let policy = policy(&format!(
        r#"{{"default":{reject},"transports":{{
            "docker":{{"a.example":{accept},"a.example/bad":{reject},"a.example/bad/x:good":{accept},
                       "*.wild.example":{accept},"*.x.wild.example":{reject}}},
            "dir":{{"/trees":{accept}}},
            "docker-daemon":{{"a.example/x":{accept}}},
            "oci":{{"":{accept}}}}}}}"#
    ))
    .unwrap();
    let lets_in = |text: &str| policy.requirements(&location(text)) == [Requirement::Accept {}];
    for good in [
        "docker://a.example/x",
        "docker://a.example/bad/x:good",
        "docker://r.wild.example/x",
        "docker://r.wild.example:5000/x",
        "dir:/trees/a",
        "oci:anything",
        "docker-daemon:a.example/x:1",
    ] {
        assert!(lets_in(good), "{good}");
    }
    for bad in [
        "docker://b.example/x",
        "docker://a.example/bad/x:other",
        "docker://a.example.evil/x",
        "docker://a.example:5000/x",
        "docker://wild.example/x",
        "docker://r.x.wild.example/x",
        "dir:/treesx",
        "docker-archive:/trees/a",
        "docker-daemon:a.example/y:1",
        "docker-daemon:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ] {
        assert!(!lets_in(bad), "{bad}");
    }
    assert_eq!(scopes(&location("oci:/a/b:c")).1, ["/a/b:c", "/a/b", "/a"]);
}

#[test]
fn what_is_not_understood_is_refused() {
    for bad in [
        "",
        "{}",
        r#"{"default":[]}"#,
        r#"{"default":[{"type":"acceptAll"}]}"#,
        r#"{"default":[{"type":"reject","x":1}]}"#,
        r#"{"default":[{"type":"reject"}],"more":{}}"#,
        r#"{"default":[{"type":"signedBy","keyType":"GPGKeys"}]}"#,
        r#"{"default":[{"type":"signedBy","keyType":"X509","keyPath":"/k"}]}"#,
        r#"{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","keyData":"eA=="}]}"#,
        r#"{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k",
            "signedIdentity":{"type":"exactReference","dockerReference":"short"}}]}"#,
        r#"{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"any"}}]}"#,
    ] {
        let error = policy(bad).unwrap_err();
        assert!(error.to_string().contains("/policy.json") && error.hint_text().is_some(), "{bad}");
    }
}

#[test]
fn a_signature_is_for_one_name() {
    let pulled: Reference = "a.example/x:1".parse().unwrap();
    let by_digest: Reference = format!("a.example/x@{}", crate::oci::Digest::of(b"")).parse().unwrap();
    let usual = Identity::default();
    assert!(usual.fits(&pulled, "a.example/x:1"));
    assert!(!usual.fits(&pulled, "a.example/x:2"));
    assert!(!usual.fits(&pulled, "a.example/x"));
    assert!(!usual.fits(&pulled, "x:1"));
    assert!(!usual.fits(&pulled, "a.example.evil/x:1"));
    assert!(usual.fits(&by_digest, "a.example/x:1"));
    assert!(!Identity::Exact.fits(&by_digest, "a.example/x:1"));
    assert!(Identity::Repository.fits(&pulled, "a.example/x:2"));
    let exact = Identity::ExactReference { reference: "b.example/y:2".to_owned() };
    assert!(exact.fits(&pulled, "b.example/y:2") && !exact.fits(&pulled, "a.example/x:1"));
    let repository = Identity::ExactRepository { repository: "b.example/y".to_owned() };
    assert!(repository.fits(&pulled, "b.example/y:7") && !repository.fits(&pulled, "b.example/yy:7"));
    let remap =
        |prefix: &str| Identity::Remap { prefix: prefix.to_owned(), signed: "b.example/m".to_owned() };
    assert!(remap("a.example").fits(&pulled, "b.example/m/x:1"));
    assert!(!remap("a.example").fits(&pulled, "a.example/x:1"));
    assert!(remap("a.exampl").fits(&pulled, "a.example/x:1"));
}
