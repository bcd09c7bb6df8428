//! Tests of what a volume may say.

use super::*;

#[test]
fn volumes_are_taken_apart() {
    for (text, shown) in [
        ("/a:/b", "/a:/b"),
        ("/a:/b:", "/a:/b"),
        ("/a:/b:ro", "/a:/b:ro"),
        ("/a:/b:Z,ro,ro", "/a:/b:Z,ro"),
        ("/a\\:c:/b", "/a\\:c:/b"),
        ("/data:/data:U,noexec,nosuid,nodev,rslave,bind", "/data:/data:U,bind,nodev,noexec,nosuid,rslave"),
    ] {
        let volume: Volume = text.parse().unwrap();
        assert_eq!(volume.to_string(), shown, "{text}");
        assert_eq!(shown.parse::<Volume>().unwrap(), volume, "{text}");
    }
    let volume: Volume = "/a\\:c:/b".parse().unwrap();
    assert_eq!(volume.source, Path::new("/a:c"));
}

#[test]
fn nonsense_is_refused_with_its_reason() {
    for (text, part) in [
        ("/a", "host:container"),
        ("", "host:container"),
        ("/a:/b:ro:x", "host:container"),
        ("a:/b", "does not start with a slash"),
        ("./a:/b", "does not start with a slash"),
        ("/a:b", "does not start with a slash"),
        ("/a:/b:bogus", "no option `bogus`"),
        ("/a:/b:ro,rw", "contradicts"),
        ("/a:/b:O,ro", "contradicts"),
        ("/a:/b:shared,private", "contradicts"),
        ("/a:/", "whole container"),
        ("/a:/b/..", "whole container"),
    ] {
        let error = text.parse::<Volume>().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{text}");
        assert!(format!("{error:?}").contains(part), "{text}: {error:?}");
    }
    // Of no effect on a directory of the host, so not taken as if they had one.
    for option in ["copy", "nocopy", "cached"] {
        assert!(format!("/a:/b:{option}").parse::<Volume>().is_err(), "{option} was taken");
    }
}
