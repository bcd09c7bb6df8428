//! Locks on files that are there, are not, and are links.

use super::*;

#[test]
fn a_link_is_no_lock() {
    // What it led to was made, and then never found under the link's name.
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    assert!(wait(&link, Mode::Exclusive).is_err() && attempt(&link, Mode::Shared).is_err());
    assert!(Claim::wait(&link).is_err());
    assert!(!dir.path().join("elsewhere").exists() && link.is_symlink());
}

#[test]
fn a_claim_leaves_no_file_and_nobody_has_it_beside_another() {
    let dir = tempfile::tempdir().unwrap();
    let (path, value) = (dir.path().join("claim"), dir.path().join("value"));
    std::fs::write(&value, "0").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let _alone = Claim::wait(&path).unwrap();
                    let known: u32 = std::fs::read_to_string(&value).unwrap().parse().unwrap();
                    std::fs::write(&value, (known + 1).to_string()).unwrap();
                }
            });
        }
    });
    assert_eq!(std::fs::read_to_string(&value).unwrap(), "800");
    assert!(!path.exists());
}
