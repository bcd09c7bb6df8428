//! Names as people type them, good and bad.

use super::*;

fn full(text: &str) -> String {
    text.parse::<Reference>().unwrap().to_string()
}

#[test]
fn a_short_name_is_completed() {
    assert_eq!(full("hello"), "localhost/hello:latest");
    assert_eq!(full("team/hello:1"), "localhost/team/hello:1");
    assert_eq!(full("localhost:5000/hello"), "localhost:5000/hello:latest");
    assert_eq!(full("registry.example/a/b:v1.2-x_y"), "registry.example/a/b:v1.2-x_y");
    assert_eq!(full("[::1]:5000/a"), "[::1]:5000/a:latest");
    let digest = crate::oci::Digest::of(b"");
    assert_eq!(full(&format!("hello@{digest}")), format!("localhost/hello@{digest}"));
    assert_eq!(full(&format!("hello:1@{digest}")), format!("localhost/hello:1@{digest}"));
}

#[test]
fn bad_names_are_refused() {
    let long = "a".repeat(300);
    let bad = [
        "",
        ":",
        "a:",
        "/a",
        "a/",
        "a//b",
        "A",
        "a/B",
        "a:-x",
        "a b",
        "../a",
        "a/../b",
        "a:b:c/d:e:f",
        "a@sha256:00",
        "host.example:99999/a",
        "-x.example/a",
        "a___b",
        "a.",
        "a:\n",
        &long,
    ];
    for text in bad {
        assert!(text.parse::<Reference>().is_err(), "`{text}` was taken");
    }
}

#[test]
fn locations_are_read_and_written() {
    let digest = crate::oci::Digest::of(b"");
    let same = [
        "oci:/a/b".to_owned(),
        "oci:d:x/y:1".to_owned(),
        format!("oci:d@{digest}"),
        "oci-archive:a.tar:x".to_owned(),
        "docker-archive:a.tar".to_owned(),
        "docker-archive:a.tar:registry.example/a:1".to_owned(),
        "docker-archive:a.tar@12".to_owned(),
        "dir:/a:b@c".to_owned(),
        "containers-storage:a".to_owned(),
        "containers-storage:@0123456789ab".to_owned(),
        "containers-storage:[overlay@/x+/run/x:a=b,c]a:1".to_owned(),
        "containers-storage:[/x]registry.example/a".to_owned(),
        "docker://registry.example:5000/a/b:1".to_owned(),
    ];
    for text in same {
        assert_eq!(Location::parse(&text).unwrap().to_string(), text);
        assert!(Location::has_transport(&text));
    }
    let parse = |text: &str| Location::parse(text).unwrap();
    assert_eq!(parse("oci:d:x/y:1"), Location::Oci { dir: "d".into(), pick: Pick::Name("x/y:1".into()) });
    assert_eq!(parse("oci:d@3"), Location::Oci { dir: "d".into(), pick: Pick::Index(3) });
    assert_eq!(parse("docker-archive:a.tar:@12"), parse("docker-archive:a.tar@12"));
    assert_eq!(parse("oci:d:"), Location::Oci { dir: "d".into(), pick: Pick::Only });
    let in_storage = |text: &str| match parse(text) {
        Location::ContainersStorage { storage, image } => (storage.unwrap_or_default(), image),
        other => panic!("{other:?}"),
    };
    assert_eq!(in_storage("containers-storage:a"), (StorageSpec::default(), "a".to_owned()));
    assert_eq!(in_storage("containers-storage:a@0123456789ab").1, "@0123456789ab");
    let (spec, image) = in_storage("containers-storage:[overlay@/x+/run/x:a=b,c]registry.example:5000/a:1");
    assert_eq!((spec.driver.as_deref(), image.as_str()), (Some("overlay"), "registry.example:5000/a:1"));
    assert_eq!((spec.root.unwrap(), spec.run.unwrap()), ("/x".into(), "/run/x".into()));
    assert_eq!(spec.options, ["a=b", "c"]);
    assert_eq!(parse("docker:27"), Location::Store("docker:27".parse().unwrap()));
}

/// A name without a host is of Docker's own in an archive, or of any other.
#[test]
fn names_in_archives_are_completed_as_docker_does() {
    let [library, team] = ["library/a:1", "a/b:1"].map(|path| format!("{}/{path}", hub()));
    for (text, there) in
        [("a:1", library.as_str()), ("library/a:1", "a:1"), (&library, "a:1"), ("a/b:1", &team)]
    {
        assert!(Reference::is_same_for_docker(text, there), "{text} {there}");
    }
    for (text, there) in [("a:1", "localhost/a:1"), ("localhost/a:1", &library), ("a", "a:1"), ("A", "A")] {
        assert!(!Reference::is_same_for_docker(text, there), "{text} {there}");
    }
    let meant = ["registry.example/a:1", "registry.example/library/a:1", "localhost/a:1", "a:1"];
    assert!(meant.iter().all(|tag| Reference::is_meant("a:1", tag)));
    let others = ["registry.example/a:2", "registry.example/b/a:1", "registry.example/library/b/a:1", "A"];
    assert!(!others.iter().any(|tag| Reference::is_meant("a:1", tag)));
    assert!(!Reference::is_meant("other.example/a:1", "registry.example/a:1"));
}

#[test]
fn bad_locations_are_refused() {
    let bad = [
        "oci:",
        "oci::x",
        "oci:@1",
        "oci:d:\u{e4}",
        "oci:d:-x",
        "oci:d@sha256:../../etc/passwd",
        "oci-archive:",
        "docker-archive:",
        "docker-archive:a:B",
        "docker-archive:a:b@sha256:00",
        "docker-archive:a@99999999999999999999999",
        "dir:",
        "docker://",
        "docker://name",
        "docker://registry.example/A",
        "docker-daemon:",
        "docker-daemon:A",
        "docker-daemon:sha256:00",
        "docker-daemon:sha256:",
        "docker-daemon:0000000000000000000000000000000000000000000000000000000000000000",
        "containers-storage:",
        "containers-storage:@",
        "containers-storage:@xyz",
        "containers-storage:A",
        "containers-storage:[overlay@/x",
        "containers-storage:[]a",
        "containers-storage:[overlay@/x]",
        "containers-storage:[overlay@x]a",
        "ostree:a@b",
    ];
    for text in bad {
        assert!(Location::parse(text).is_err(), "`{text}` was taken");
    }
}

#[test]
fn an_image_of_a_daemon_is_named_as_docker_names_it() {
    let parse = |text: &str| Location::parse(text).unwrap();
    let shown = |text: &str| parse(text).to_string();
    assert_eq!(shown("docker-daemon:a"), "docker-daemon:a:latest");
    assert_eq!(shown("docker-daemon:team/a:1"), "docker-daemon:team/a:1");
    assert_eq!(shown("docker-daemon:registry.example/a:1"), "docker-daemon:registry.example/a:1");
    assert_eq!(shown("docker-daemon:localhost/a:1"), "docker-daemon:localhost/a:1");
    let id = format!("docker-daemon:{}", crate::oci::Digest::of(b""));
    assert_eq!(shown(&id), id);
    for unwritable in [id, format!("docker-daemon:a@{}", crate::oci::Digest::of(b""))] {
        let Location::Daemon(image) = parse(&unwritable) else { panic!("{unwritable} is of a daemon") };
        assert!(image.to_write().is_err());
    }
    let Location::Daemon(image) = parse("docker-daemon:a:1") else { panic!("it is of a daemon") };
    assert_eq!(image.to_write().unwrap(), format!("{}/library/a:1", hub()));
}

mod registries;
