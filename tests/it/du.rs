//! Stories of `kiln du`: where the room went.

use crate::support::{Env, Need, images, needs, with_base};

#[test]
fn the_sum_is_what_the_files_take() {
    let Some(env) = with_base("du::the_sum_is_what_the_files_take") else { return };
    env.ok(["from", "--cached", "--name", "c", "base"]);
    env.shell("head -c 3000000 /dev/urandom >$(kiln mount c)/big; kiln config --label a=b c")
        .expect_ok("a step");
    env.shell("head -c 1000000 /dev/urandom >$(kiln mount c)/more").expect_ok("changes by hand");
    let usage: serde_json::Value =
        serde_json::from_str(&env.ok(["du", "--format", "json"])).expect("a JSON object");
    let bytes = |name: &str| usage[name].as_u64().expect("bytes");
    assert!(bytes("layers") >= 3_000_000 && bytes("containers") >= 1_000_000, "{usage}");
    let du = env.run("du", ["-sxB1", &env.store().display().to_string()]);
    let du: u64 = du.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    let total = bytes("total");
    assert!(total.abs_diff(du) * 20 < du, "{total} and {du} are more than 5 % apart");
    let parts: u64 = ["images", "layers", "containers", "steps", "cache_mounts", "other"]
        .iter()
        .map(|name| bytes(name))
        .sum();
    assert_eq!(parts, total);
    assert!(env.ok(["du"]).starts_with("WHAT "));
}

/// What the store takes of a file system of its own, by `df`.
fn taken(store: &std::path::Path) -> u64 {
    let stat = nix::sys::statvfs::statvfs(store).expect("the store's file system");
    (stat.blocks() - stat.blocks_free()) * stat.fragment_size()
}

#[test]
fn the_sum_is_what_the_file_system_lost() {
    let test = "du::the_sum_is_what_the_file_system_lost";
    let all = [Need::Root, Need::Busybox, Need::Program("mkfs.ext4"), Need::File("/dev/loop-control")];
    if !needs(test, &all) {
        return;
    }
    let env = Env::new();
    let store = env.store();
    std::fs::create_dir(&store).expect("the store's directory");
    let made = env.shell(&format!(
        "truncate -s 256M disk; mkfs.ext4 -q disk; mount -o loop disk {0}; rmdir {0}/lost+found",
        store.display()
    ));
    if made.code != 0 {
        return needs::not_run(test, "no loop device can be mounted here");
    }
    let before = taken(&store);
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    env.shell(
        "kiln pull -q oci:layout:base
        head -c 20000000 /dev/urandom >big; mkdir many; for n in $(seq 2000); do echo $n >many/$n; done
        c=$(kiln from --cached base); kiln copy -q $c big many /dst/; kiln run $c -- ln /dst/big /dst/linked
        kiln run --mount type=cache,target=/k $c -- sh -c 'head -c 5000000 /dev/urandom >/k/f'
        kiln commit -q $c made; head -c 3000000 /dev/urandom >$(kiln mount $c)/by-hand
        kiln push -q made oci:out:x; kiln pull -q oci:out:x; sync",
    )
    .expect_ok("a store with something of everything");
    let usage: serde_json::Value =
        serde_json::from_str(&env.ok(["du", "--format", "json"])).expect("a JSON object");
    let total = usage["total"].as_u64().expect("bytes");
    env.run("sync", [""; 0]);
    let lost = taken(&store) - before;
    assert!(lost > 50_000_000, "{lost} is too little to be told from noise");
    assert!(total.abs_diff(lost) * 20 < lost, "{total} and {lost} are more than 5 % apart: {usage}");
}
