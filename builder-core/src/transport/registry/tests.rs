//! Challenges, hosts that belong together, and what servers say.

use std::fs;

use super::challenge::{Challenge, choose};
use super::{answer, lookaside, token};
use crate::error::Kind;
use crate::name::Reference;
use crate::oci::Digest;
use crate::settings::RegistrySettings;

#[test]
fn a_challenge_is_read_in_all_its_spellings() {
    let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
    };
    let of = |header: &str| choose([header].into_iter());
    assert_eq!(
        of(r#"Bearer realm="https://a/t",service="s, x",scope="repository:a:pull,push""#),
        bearer("https://a/t", Some("s, x"), Some("repository:a:pull,push"))
    );
    assert_eq!(
        of(r#"bearer REALM = https://a/t , service="q\"q""#),
        bearer("https://a/t", Some("q\"q"), None)
    );
    assert_eq!(of(r#"Basic realm="x", Bearer realm="https://a""#), bearer("https://a", None, None));
    assert_eq!(of(r#"Basic realm="x""#), Some(Challenge::Basic));
    assert_eq!(choose(["Basic", r#"Bearer realm="r""#].into_iter()), bearer("r", None, None));
    for bad in
        ["", ",", "Bearer", "Bearer realm=", r#"Bearer realm=""#, "Negotiate x", "=", "\"", "Digest a=b"]
    {
        assert_eq!(of(bad), None, "{bad}");
    }
}

#[test]
fn credentials_go_to_token_services_of_the_same_domain() {
    for (registry, service) in [
        ("registry-1.hub.example", "auth.hub.example"),
        ("registry.git.example", "git.example"),
        ("hub.example", "auth.hub.example"),
        ("registry.hub.co.uk", "auth.hub.co.uk"),
        ("registry.com.example", "auth.com.example"),
    ] {
        assert!(token::related(registry, service), "{registry} {service}");
    }
    for (registry, service) in [
        ("registry.example", "evil.example"),
        ("registry.hub.example", "hub.example.evil"),
        ("registry.hub.example", "evilhub.example"),
        ("registry.hub.example", "example"),
        ("victim.co.uk", "evil.co.uk"),
        ("victim.com.au", "com.au"),
        ("localhost", "evil"),
        ("10.0.0.1", "10.0.0.2"),
        ("10.0.0.1", "0.0.1"),
    ] {
        assert!(!token::related(registry, service), "{registry} {service}");
    }
}

#[test]
fn what_a_server_says_is_one_harmless_line() {
    let said = |body: &str| answer::words(body.as_bytes());
    assert_eq!(
        said(
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"},{"code":"X","message":"y"}]}"#
        ),
        Some("manifest unknown; x: y".to_owned())
    );
    assert_eq!(said(r#"{"errors":[{"message":"a\u001b[31m\nb"}]}"#), Some("a[31mb".to_owned()));
    assert_eq!(said(r#"{"details":"no"}"#), Some("no".to_owned()));
    assert!(said(&format!(r#"{{"details":"{}"}}"#, "x".repeat(9000))).unwrap().len() < 500);
    for empty in ["", "<html>", "[]", "{}", r#"{"errors":[]}"#, r#"{"errors":7}"#] {
        assert_eq!(said(empty), None, "{empty}");
    }
}

#[test]
fn signatures_are_where_the_nearest_entry_says() {
    let dir = tempfile::tempdir().unwrap();
    let at = |below: &str| dir.path().join(below);
    let conf = "default-docker:
  sigstore: file://DIR/rest
docker:
  a.example:
    lookaside: file://DIR/read
    sigstore: file://DIR/older
    lookaside-staging: file://DIR/written/
  a.example/empty: {}
  a.example/server:
    lookaside: https://s.example/
";
    fs::create_dir(at("conf")).unwrap();
    fs::write(at("conf/all.yaml"), conf.replace("DIR", &dir.path().display().to_string())).unwrap();
    let settings = RegistrySettings { signature_dirs: vec![at("conf")], ..RegistrySettings::default() };
    let digest = Digest::of(b"");
    let name = |text: &str| text.parse::<Reference>().unwrap();
    let signatures = |count: u8| (0..count).map(|number| vec![number]).collect::<Vec<_>>();
    let write = |text: &str, count| lookaside::write(&settings, &name(text), digest, &signatures(count));
    write("a.example/empty", 3).unwrap();
    write("a.example/empty", 2).unwrap();
    assert_eq!(lookaside::read(&settings, &name("a.example/empty"), digest).unwrap(), signatures(0));
    fs::rename(at("written"), at("read")).unwrap();
    assert_eq!(lookaside::read(&settings, &name("a.example/empty:x"), digest).unwrap(), signatures(2));
    assert_eq!(lookaside::read(&settings, &name("a.example/other"), digest).unwrap(), signatures(0));
    write("b.example:5000/x/y", 1).unwrap();
    assert!(at(&format!("rest/x/y@sha256={}/signature-1", digest.hex())).exists());
    assert_eq!(lookaside::read(&settings, &name("b.example/x/y"), digest).unwrap(), signatures(1));
    assert_eq!(write("a.example/server", 1).unwrap_err().kind(), Kind::Unsupported);
}
