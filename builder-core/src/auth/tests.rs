//! Files of credentials, whole and damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn ring(text: &str) -> (tempfile::TempDir, Keyring) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.json");
    fs::write(&path, text).unwrap();
    (dir, Keyring::new(vec![path], Vec::new()))
}

fn auth(pair: &str) -> String {
    format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(pair))
}

fn user(ring: &Keyring, key: &str) -> Option<String> {
    ring.find(key).unwrap().and_then(|found| found.user().map(str::to_owned))
}

#[test]
fn the_most_specific_entry_counts() {
    let (_dir, ring) = ring(&format!(
        r#"{{"auths":{{"a.example":{},"a.example/team":{},"a.example/team/app":{},"https://b.example/v1/":{}}}}}"#,
        auth("host:1"),
        auth("team:2"),
        auth("app:3:4"),
        auth("old:5"),
    ));
    assert_eq!(user(&ring, "a.example/team/app").unwrap(), "app");
    assert_eq!(user(&ring, "a.example/team/other").unwrap(), "team");
    assert_eq!(user(&ring, "a.example/teams").unwrap(), "host");
    assert_eq!(user(&ring, "b.example/x").unwrap(), "old");
    // Hosts that only look alike.
    for other in ["a.example:443/x", "a.example.evil/x", "evil.a.example/x", "A.example/x", "a.exampl/x"] {
        assert_eq!(user(&ring, other), None, "{other}");
    }
    let found = ring.find("a.example/team/app").unwrap().unwrap();
    assert_eq!(found.basic().unwrap(), format!("Basic {}", STANDARD.encode("app:3:4")));
}

#[test]
fn a_token_is_not_a_password() {
    let (_dir, ring) = ring(&format!(
        r#"{{"auths":{{"a.example":{{"auth":"{}","identitytoken":"t"}},"b.example":{}}}}}"#,
        STANDARD.encode("<token>:"),
        auth("<token>:u"),
    ));
    assert_eq!(ring.find("a.example").unwrap(), Some(Credentials::Token("t".to_owned())));
    assert_eq!(ring.find("b.example").unwrap(), Some(Credentials::Token("u".to_owned())));
}

#[test]
fn what_is_written_is_private_and_keeps_the_rest() {
    let (dir, ring) = ring(r#"{"auths":{"x.example":{"auth":"eDp5"}},"HttpHeaders":{"A":"b"}}"#);
    let credentials = Credentials::parse("me:secret", || unreachable!()).unwrap();
    ring.store("a.example/team", &credentials).unwrap();
    let path = dir.path().join("auth.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&path).unwrap().contains("HttpHeaders"));
    assert_eq!(ring.find("a.example/team/x").unwrap().unwrap(), credentials);
    assert_eq!(ring.find("a.example/x").unwrap(), None);
    assert!(ring.remove("a.example/team").unwrap());
    assert!(!ring.remove("a.example/team").unwrap());
    assert_eq!(user(&ring, "x.example").unwrap(), "x");
    ring.remove_all().unwrap();
    assert_eq!(user(&ring, "x.example"), None);
    assert!(fs::read_to_string(&path).unwrap().contains("HttpHeaders"));
    // Nothing else is left in the directory.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn damaged_files_are_named_and_their_secrets_are_not() {
    let secret = STANDARD.encode("secretuser");
    for text in [
        format!(r#"{{"auths":{{"a.example":{{"auth":"{secret}"}}}}}}"#),
        r#"{"auths":{"a.example":{"auth":"%%secret"}}}"#.to_owned(),
        r#"{"auths": "secret"#.to_owned(),
        "[]".to_owned(),
    ] {
        let (dir, ring) = ring(&text);
        let error = ring.find("a.example").unwrap_err();
        let said = format!("{error:?} {:?}", error.hint_text());
        assert!(said.contains(&dir.path().display().to_string()), "{said}");
        assert!(!said.contains("secret") && !said.contains(&secret), "{said}");
    }
    assert_eq!(ring("").1.find("a.example").unwrap(), None);
    let credentials = Credentials::Password { user: "u".to_owned(), password: "secret".to_owned() };
    assert!(!format!("{credentials:?}").contains("secret"));
}

#[test]
fn a_missing_helper_is_named() {
    for text in [
        r#"{"credHelpers":{"a.example":"kiln-none"},"auths":{"a.example":{"auth":"eDp5"}}}"#,
        r#"{"credsStore":"kiln-none"}"#,
    ] {
        let (_dir, ring) = ring(text);
        let error = ring.find("a.example/x").unwrap_err();
        assert!(error.sentence().contains("docker-credential-kiln-none"), "{error:?}");
    }
    let (_dir, ring) = ring(r#"{"credHelpers":{"a.example":"../../bin/sh"}}"#);
    assert!(ring.find("a.example").is_err());
}

#[test]
fn many_log_in_and_out_at_once() {
    // Each reads the file, changes it and writes it anew: whoever was last left out what the others had entered.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/auth.json");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let ring = Keyring::new(vec![path.clone()], Vec::new());
            scope.spawn(move || {
                for round in 0..20 {
                    let key = format!("{number}.example/{round}");
                    let credentials = Credentials::Password { user: key.clone(), password: "x".into() };
                    ring.store(&key, &credentials).unwrap();
                    assert!(round % 2 == 0 || ring.remove(&key).unwrap());
                }
            });
        }
    });
    let ring = Keyring::new(vec![path.clone()], Vec::new());
    for number in 0..8 {
        for round in 0..20 {
            let key = format!("{number}.example/{round}");
            assert_eq!(user(&ring, &key), (round % 2 == 0).then(|| key.clone()));
        }
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no lock stays");
}
