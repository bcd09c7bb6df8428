//! What counts as remote, what of an address reaches `git`, and that archives stay where they are put.

use super::git::{is_git, parse_for_test};
use super::*;
use crate::event::Silent;

#[test]
fn repositories_and_addresses_are_told_from_files() {
    let git = [
        "https://host.example/a/b.git",
        "http://host.example/b.git#main:dir",
        "https://host.example/b.git?branch=x",
        "git://host.example/x",
        "ssh://git@host.example:2222/x",
        "git@host.example:a/b.git",
        "git@host.example:b#v1",
    ];
    for source in git {
        assert!(is_git(source) && is_remote(source), "{source}");
    }
    for source in ["https://host.example/b.tar.gz", "HTTP://host.example/x", "https://host.example/x.git/y"] {
        assert!(!is_git(source) && is_remote(source), "{source}");
    }
    let files = ["a", "./git@host:x", "dir/https://x", "file:///x.git", "a@b", "-x@host:y", "ext::sh -c x"];
    for source in files {
        assert!(!is_remote(source), "{source}");
    }
}

#[test]
fn an_address_of_a_repository_is_taken_apart() {
    let parts = |source: &str| parse_for_test(source).unwrap();
    assert_eq!(
        parts("https://h.example/r.git#v1:sub/dir"),
        ("https://h.example/r.git".into(), Some("v1".into()), Some("sub/dir".into()))
    );
    assert_eq!(parts("git@h.example:r#:d"), ("git@h.example:r".into(), None, Some("d".into())));
    assert_eq!(
        parts("https://h.example/r.git?branch=b&subdir=/d/"),
        ("https://h.example/r.git".into(), Some("refs/heads/b".into()), Some("d".into()))
    );
    let bad = [
        "https://h.example/r.git#--upload-pack=x",
        "https://h.example/r.git#a b",
        "https://h.example/r.git#+refs/heads/*",
        "https://-oProxyCommand=x/r.git",
        "ssh://-oProxyCommand=x/r",
        "ssh://git@-x/r",
        "https://h.example/r.git?nothing=1",
        "https://h.example/r.git?branch=a&tag=b",
        "https:///r.git",
    ];
    for source in bad {
        let error = parse_for_test(source).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{source}");
    }
}

#[test]
fn a_checksum_is_for_one_address() {
    let dir = tempfile::tempdir().unwrap();
    let sources = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    for list in [&["a"][..], &["a", "https://h.example/x"], &["https://h.example/x", "https://h.example/y"]] {
        let how = Fetch::default();
        let error = fetch(&sources(list), Some("sha256:00"), false, &how, dir.path(), &Silent).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{list:?}");
    }
}

#[test]
fn failures_of_the_network_are_tried_again() {
    let retry = Retry { times: 2, delay: Some(Duration::ZERO) };
    let how = Fetch { retry, ..Fetch::default() };
    let mut tried = 0;
    let failed = persist(&how, || {
        tried += 1;
        Err::<(), _>(Error::new(Kind::Io, "cannot fetch"))
    });
    assert!(failed.is_err() && tried == 3);
    let mut tried = 0;
    let refused = persist(&how, || {
        tried += 1;
        Err::<(), _>(Error::new(Kind::NotFound, "cannot fetch"))
    });
    assert!(refused.is_err() && tried == 1);
}

#[test]
fn an_address_that_never_ends_is_given_up() {
    struct Slow;
    impl std::io::Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            std::thread::sleep(Duration::from_millis(1));
            buffer[0] = b'x';
            Ok(1)
        }
    }
    let save = |body: &mut dyn std::io::Read, how: &Fetch| {
        address::save(body, &mut tempfile::tempfile().unwrap(), how).unwrap()
    };
    let how = Fetch { max_bytes: 1 << 20, patience: Duration::from_millis(20), ..Fetch::default() };
    assert_eq!(save(&mut Slow, &how), address::Saved::TooSlow);
    let patient = Fetch { patience: Duration::from_secs(3600), ..how };
    assert_eq!(save(&mut std::io::repeat(0), &patient), address::Saved::TooLarge);
    assert!(matches!(save(&mut &b"all"[..], &patient), address::Saved::Whole(_)));
}
