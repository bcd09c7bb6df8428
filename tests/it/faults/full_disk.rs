//! A full disk: every verb fails with one clear error and a hint, nothing is lost, and with room again it works.

use std::path::Path;

use crate::support::{Env, Need, images, needs};

/// The store's file system, in mebibytes.
const SIZE: u64 = 24;

/// Gives the store a small file system of its own; it goes with the environment.
fn small(env: &Env) {
    let store = env.store();
    std::fs::create_dir(&store).expect("the store's directory");
    let size = format!("size={SIZE}m,mode=700");
    env.run("mount", ["-t", "tmpfs", "-o", &size, "none", &store.to_string_lossy()]);
}

/// Fills it up but for `left` bytes.
fn fill(store: &Path, left: u64) {
    let ballast = store.join("ballast");
    let stat = nix::sys::statvfs::statvfs(store).expect("the store's file system");
    let free = stat.blocks_available() * stat.fragment_size();
    let file = std::fs::File::create(&ballast).expect("the ballast");
    let length = i64::try_from(free.saturating_sub(left)).expect("a length");
    if length > 0 {
        nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, length)
            .expect("it fills the disk");
    }
}

#[test]
fn a_full_disk_loses_nothing_and_every_verb_says_so() {
    let test = "faults::a_full_disk_loses_nothing_and_every_verb_says_so";
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return;
    }
    let env = Env::new();
    small(&env);
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    images::write_busybox(&env.path("other"), "other").expect("a static busybox");
    env.shell(
        "kiln from --name c oci:layout:base; kiln run c -- sh -c 'echo one > /one'
         kiln commit -q --timestamp 1000000000 c made; kiln run c -- sh -c 'echo two > /two'
         dd if=/dev/urandom of=big bs=1M count=16 2>/dev/null; kiln images -q >before",
    )
    .expect_ok("the setup");
    // From nothing at all to room for a few files: the disk fills up at other places in each verb.
    for left in [0, 4 << 10, 16 << 10, 64 << 10, 256 << 10] {
        for verb in [
            "from --name new base",
            "from --name new scratch",
            "copy -q c big /big",
            "copy -q c layout /layout",
            "run c -- dd if=/dev/zero of=/zero bs=1M count=20",
            "config --env A=b c",
            "commit -q --timestamp 1000000000 c again",
            "commit -q --squash --timestamp 1000000000 c again",
            "pull -q oci:other:other",
            "tag made more",
            "rename c renamed",
            "mount c",
            "push -q made oci:target:made",
        ] {
            fill(&env.store(), left);
            let outcome = env.shell(&format!("kiln {verb}"));
            let what = format!("with {left} bytes left: kiln {verb}: {outcome:#?}");
            assert!(!outcome.stderr.contains("panicked"), "{what}");
            // A command in the container fails in its own way.
            if outcome.code != 0 && !verb.starts_with("run ") {
                assert_eq!(outcome.stderr.matches("Error: ").count(), 1, "{what}");
                assert!(outcome.stderr.contains("No space left on device"), "{what}");
                assert_eq!(outcome.stderr.matches("hint: ").count(), 1, "{what}");
            }
            let check = env.kiln(["check"]);
            assert_eq!((check.code, check.stdout.as_str()), (0, ""), "{what}: {check:#?}");
            std::fs::remove_file(env.store().join("ballast")).expect("room again");
            assert_eq!(env.ok(["check", "--deep"]), "", "{what}");
            env.shell(
                "kiln umount c >/dev/null 2>&1 || true; kiln rename renamed c 2>/dev/null || true
                 test $(kiln run c cat /one) = one; test $(kiln run c cat /two) = two
                 test $(kiln run $(kiln from --name other made) cat /one) = one; kiln rm other >/dev/null
                 kiln rm new >/dev/null 2>&1 || true; kiln rmi again more other >/dev/null 2>&1 || true
                 kiln run c rm -rf /big /layout /zero; kiln prune >/dev/null 2>&1; rm -rf target",
            )
            .expect_ok(&what);
        }
    }
    // What makes room must work on a disk without any.
    fill(&env.store(), 0);
    env.shell("kiln rm c; kiln rmi made; kiln prune").expect_ok("making room on a full disk");
}
