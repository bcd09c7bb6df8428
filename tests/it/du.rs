//! Stories of `kiln du`: where the room went.

use crate::support::with_base;

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
