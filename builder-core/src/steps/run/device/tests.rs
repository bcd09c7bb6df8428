//! Tests of what a device may say, and of directories of devices.

use super::*;

#[test]
fn devices_are_taken_apart() {
    for (text, shown) in [
        ("/dev/null", "/dev/null:/dev/null:rwm"),
        ("/dev/null:/dev/x", "/dev/null:/dev/x:rwm"),
        ("/dev/null:rw", "/dev/null:/dev/null:rw"),
        ("/dev/null:/dev/x:r", "/dev/null:/dev/x:r"),
    ] {
        assert_eq!(text.parse::<Device>().unwrap().to_string(), shown, "{text}");
    }
    for text in [
        "",
        "null",
        "/dev/null:x",
        "/dev/null:/x:q",
        "/dev/null:/x:rr",
        "/dev/null:/x:",
        "/a:/b:r:w",
        "/dev/null:dev/x:rw",
    ] {
        let error = text.parse::<Device>().unwrap_err();
        assert!(error.hint_text().is_some() && error.sentence().contains(text), "{text}: {error:?}");
    }
}

#[test]
fn a_directory_stands_for_the_devices_in_it() {
    let nodes = "/dev:/x".parse::<Device>().unwrap().nodes().unwrap();
    let null = nodes.iter().find(|node| node.at == Path::new("/x/null")).unwrap();
    assert_eq!((null.number, null.block, null.access.as_str()), ((1, 3), false, "rwm"));
    assert!(nodes.iter().all(|node| node.at.starts_with("/x") && node.source.starts_with("/dev")));
}

#[test]
fn what_is_no_device_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, kind) in [
        (file.as_path(), Kind::Invalid),
        (dir.path(), Kind::NotFound),
        (Path::new("/dev/nosuch"), Kind::NotFound),
    ] {
        let device: Device = path.to_str().unwrap().parse().unwrap();
        assert_eq!(device.nodes().unwrap_err().kind(), kind, "{}", path.display());
    }
}
