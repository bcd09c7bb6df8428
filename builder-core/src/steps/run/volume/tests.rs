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
        ("/a:/b:O,z", "contradicts"),
        ("/a:/b:O,upperdir=/u", "go together"),
        ("/a:/b:O,workdir=/w", "go together"),
        ("/a:/b:upperdir=/u,workdir=/w", "go together"),
        ("/a:/b:O,upperdir=u,workdir=/w", "absolute path"),
        ("/a:/b:O,upperdir=,workdir=/w", "absolute path"),
        ("/a:/b:shared,private", "contradicts"),
        ("/a:/", "whole container"),
        ("/a:/b/..", "whole container"),
    ] {
        let error = text.parse::<Volume>().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{text}");
        assert!(format!("{error:?}").contains(part), "{text}: {error:?}");
    }
    // What the image has is never copied into a directory of the host.
    assert!("/a:/b:copy".parse::<Volume>().is_err());
    for option in ["nocopy", "cached", "delegated"] {
        assert!(format!("/a:/b:{option}").parse::<Volume>().is_ok(), "{option} is so anyway");
    }
}

#[test]
fn the_directories_of_changes_are_written_as_they_were_read() {
    let text = "/a:/b:O,upperdir=/u\\:1,workdir=/w";
    let volume: Volume = text.parse().unwrap();
    assert!(volume.keeps_changes() && !volume.options().has("ro"));
    assert_eq!(volume.to_string(), text);
    assert_eq!(serde_json::from_value::<Volume>(serde_json::to_value(&volume).unwrap()).unwrap(), volume);
    assert!(!"/a:/b:O".parse::<Volume>().unwrap().keeps_changes());
    assert!("/a:/b".parse::<Volume>().unwrap().keeps_changes());
}
