//! Tests of the user lookup, on trees made for it; no privileges needed.

use std::os::unix::fs::symlink;

use super::*;

const PASSWD: &str = "# comment\n\nroot:x:0:0:root:/root:/bin/sh\nu:x:1000:1001:U,,:/home/u:/bin/sh\n\
    5:x:77:78::/h5:/bin/sh\nbroken:x:abc:1\nbig:x:4294967296:1::/:\nrel:x:9:9::relative:/bin/sh\n\
    last:x:4294967295:4294967295::/:\n";
const GROUP: &str = "root:x:0:\ng:x:50:u\nu:x:1001:u\nh:x:51:root, u\nbroken\nover:x:99999999999:u\n";

fn tree() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    (dir, root)
}

fn image() -> (tempfile::TempDir, Root) {
    let (dir, root) = tree();
    std::fs::write(dir.path().join("etc/passwd"), PASSWD).unwrap();
    std::fs::write(dir.path().join("etc/group"), GROUP).unwrap();
    (dir, root)
}

#[test]
fn every_form_means_what_buildah_takes_it_for() {
    let (_dir, root) = image();
    type Case = (&'static str, u32, u32, &'static [u32], Option<&'static str>);
    let cases: [Case; 15] = [
        ("", 0, 0, &[0, 51], Some("/root")),
        ("root", 0, 0, &[0, 51], Some("/root")),
        ("u", 1000, 1001, &[1001, 50, 51], Some("/home/u")),
        ("1000", 1000, 1001, &[1001, 50, 51], Some("/home/u")),
        ("u:g", 1000, 50, &[50], Some("/home/u")),
        ("u:51", 1000, 51, &[51], Some("/home/u")),
        ("1000:g", 1000, 50, &[50], Some("/home/u")),
        ("1000:7", 1000, 7, &[7], Some("/home/u")),
        ("u:", 1000, 1001, &[1001], Some("/home/u")),
        (":50", 0, 50, &[50], Some("/root")),
        ("4242", 4242, 0, &[0], None),
        ("4242:g", 4242, 50, &[50], None),
        // A number is an id, also where a user is named by it.
        ("5", 5, 0, &[0], None),
        ("4294967294", 4_294_967_294, 0, &[0], None),
        // A home that is no absolute path is none.
        ("rel", 9, 9, &[9], None),
    ];
    for (spec, uid, gid, groups, home) in cases {
        let user = resolve(&root, spec).unwrap_or_else(|error| panic!("{spec}: {error:?}"));
        assert_eq!((user.uid, user.gid, &user.groups[..]), (uid, gid, groups), "{spec}");
        assert_eq!(user.home.as_deref(), home, "{spec}");
    }
}

#[test]
fn ids_that_are_none_are_refused_by_one_clear_error() {
    let (_dir, root) = image();
    for spec in ["4294967296", "4294967295", "-1", "+0", "99999999999999999999", "u:-1", "0:4294967295"] {
        let error = resolve(&root, spec).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{spec}: {error:?}");
        assert!(error.hint_text().is_some(), "{spec}");
    }
    for spec in ["nobody", "broken", "big", "last", "u:nog", "u:over", "u:g:h", " u", "\u{e9}"] {
        let error = resolve(&root, spec).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "{spec}: {error:?}");
    }
}

#[test]
fn an_image_without_lists_knows_numbers_only() {
    let (_dir, root) = tree();
    let user = resolve(&root, "").unwrap();
    assert_eq!(user, User { uid: 0, gid: 0, groups: vec![0], home: None, name: None });
    assert_eq!(resolve(&root, "7:8").unwrap().gid, 8);
    assert!(resolve(&root, "root").is_err());
}

#[test]
fn an_owner_without_a_group_has_its_own() {
    let (_dir, root) = image();
    let owners = [
        ("u", (1000, 1001)),
        ("u:g", (1000, 50)),
        ("4242", (4242, 4242)),
        ("1000", (1000, 1000)),
        ("1000:", (1000, 1001)),
        ("4242:1", (4242, 1)),
    ];
    for (spec, expected) in owners {
        assert_eq!(owner(&root, spec).unwrap(), expected, "{spec}");
    }
    assert_eq!(owner(&root, ":50").unwrap(), (0, 50));
    let (_dir, empty) = tree();
    assert_eq!(owner(&empty, "").unwrap(), (0, 0));
}

#[test]
fn a_hostile_passwd_is_an_error_and_never_the_hosts() {
    let (dir, root) = tree();
    let passwd = dir.path().join("etc/passwd");
    // Absolute links and too many `..` stay inside, where nothing is.
    for target in ["/etc/passwd.host", "../../../../../../etc/hostname"] {
        symlink(target, &passwd).unwrap();
        assert!(resolve(&root, "0").unwrap().name.is_none());
        std::fs::remove_file(&passwd).unwrap();
    }
    symlink("passwd", &passwd).unwrap();
    assert!(resolve(&root, "root").is_err(), "a loop");
    std::fs::remove_file(&passwd).unwrap();

    rustix::fs::mknodat(rustix::fs::CWD, &passwd, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    assert!(resolve(&root, "root").is_err(), "a pipe must not be waited for");
    std::fs::remove_file(&passwd).unwrap();

    std::fs::create_dir(&passwd).unwrap();
    assert!(resolve(&root, "root").is_err(), "a directory");
    std::fs::remove_dir(&passwd).unwrap();

    std::fs::File::create(&passwd).unwrap().set_len(1 << 40).unwrap();
    assert!(resolve(&root, "root").is_err(), "a terabyte");
}
