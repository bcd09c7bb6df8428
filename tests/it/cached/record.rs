//! What is kept of steps, and for how long.

use super::{fate, from, with_shell};

#[test]
fn a_prune_keeps_what_is_known() {
    let Some(env) = with_shell("cached::record::a_prune_keeps_what_is_known") else { return };
    let c = from(&env);
    fate(&env, &["run", &c, "--", "sh", "-c", "echo x >/x"]);
    env.ok(["rm", &c]);
    env.ok(["prune"]);
    assert_eq!(fate(&env, &["run", &from(&env), "--", "sh", "-c", "echo x >/x"]), "cached");
}

#[test]
fn a_damaged_record_is_no_hit() {
    let Some(env) = with_shell("cached::record::a_damaged_record_is_no_hit") else { return };
    let run = || env.kiln(["run", &from(&env), "--", "sh", "-c", "echo printed"]);
    run();
    for damage in
        ["printf x >>", "printf x | dd conv=notrunc status=none of=", "truncate -s -1 ", "rm ", ": >"]
    {
        let hit = run();
        assert_eq!((hit.stdout.as_str(), hit.stderr.as_str()), ("printed\n", "cached\n"), "before {damage}");
        env.shell(&format!("for f in \"$KILN_ROOT\"/cache/steps/*; do {damage}$f; done")).expect_ok(damage);
        let outcome = run();
        assert_eq!(outcome.stdout, "printed\n", "{damage}");
        assert!(outcome.stderr.starts_with("ran "), "{damage}: {outcome:#?}");
    }
}

#[test]
fn the_same_step_at_once_runs_once() {
    let Some(env) = with_shell("cached::record::the_same_step_at_once_runs_once") else { return };
    let step = "sleep 0.5; cat /proc/sys/kernel/random/uuid; echo $$ >/x";
    let script = format!(
        "for n in 1 2 3 4; do
            (kiln run $(kiln from --cached localhost/base) -- sh -c '{step}' </dev/null) &
        done; wait"
    );
    let outcome = env.shell(&script);
    let mut said: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(said.len(), 4, "{outcome:#?}");
    said.dedup();
    assert_eq!(said.len(), 1, "{outcome:#?}");
    assert_eq!(outcome.stderr.lines().filter(|line| *line == "cached").count(), 3, "{outcome:#?}");
}

/// Commands of a whole build, and what is said of each step the second time.
fn build(env: &crate::support::Env, name: &str) -> Vec<String> {
    let c = from(env);
    let first = format!("head -c 1000000 /dev/urandom >/{name}");
    let second = format!("echo {name} >/second");
    let said = [first, second].map(|line| fate(env, &["run", &c, "--", "sh", "-c", &line]));
    env.ok(["rm", &c]);
    said.into()
}

#[test]
fn a_prune_takes_whole_builds_the_oldest_first() {
    let Some(env) = with_shell("cached::record::a_prune_takes_whole_builds_the_oldest_first") else { return };
    for name in ["one", "two", "three"] {
        build(&env, name);
    }
    // The first is used again, so the second is the oldest.
    assert_eq!(build(&env, "one"), ["cached", "cached"]);
    let used = || -> u64 {
        let usage: serde_json::Value =
            serde_json::from_str(&env.ok(["du", "--format", "json"])).expect("JSON");
        usage["total"].as_u64().expect("bytes")
    };
    let before = used();
    let cap = before - 500_000;
    env.ok(["prune", "--max-size", &cap.to_string()]);
    assert!(used() <= cap, "{} is more than {cap}", used());
    assert_eq!(build(&env, "one"), ["cached", "cached"]);
    assert_eq!(build(&env, "three"), ["cached", "cached"]);
    assert!(build(&env, "two").iter().all(|said| said != "cached"));
    // What a container has cannot go, and that is said.
    let c = from(&env);
    fate(&env, &["run", &c, "--", "sh", "-c", "head -c 1000000 /dev/urandom >/kept"]);
    let said = env.fails(125, ["prune", "--max-size", "0"]);
    assert!(said.contains("cannot bring the store down to 0 bytes"), "{said}");
    assert_eq!(env.ok(["run", &c, "--", "stat", "-c", "%s", "/kept"]), "1000000");
    assert!(build(&env, "one").iter().all(|said| said != "cached"));
}

#[test]
fn a_prune_to_a_size_takes_caches_too_and_spares_those_in_use() {
    let Some(env) = with_shell("cached::record::a_prune_to_a_size_takes_caches_too") else { return };
    let fill = |cache: &str, then: &str| {
        let mount = format!("type=cache,id={cache},target=/cache");
        let command = format!("head -c 2000000 /dev/urandom >/cache/f; {then}");
        (mount, command)
    };
    for cache in ["one", "two"] {
        let (mount, command) = fill(cache, "true");
        env.ok(["run", "--mount", &mount, &from(&env), "--", "sh", "-c", &command]);
    }
    env.ok(["rm", "--all"]);
    let usage = || -> serde_json::Value {
        serde_json::from_str(&env.ok(["du", "--format", "json"])).expect("a JSON object")
    };
    let before = usage();
    assert!(before["cache_mounts"].as_u64().expect("bytes") >= 4_000_000, "{before}");
    // While a command uses the older one that stays, and the newer one goes in its place.
    let (mount, command) = fill("one", "echo up; sleep 20");
    let mut using = env.command("kiln");
    let c = env.ok(["from", "localhost/base"]);
    using
        .args(["run", "--mount", &mount, &c, "--", "sh", "-c", &command])
        .stdout(std::process::Stdio::piped());
    let mut using = using.spawn().expect("kiln starts");
    let mut line = String::new();
    let out = using.stdout.take().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("it says that it is up");
    env.shell("touch -d '1 day ago' \"$KILN_ROOT\"/cache-mounts/*/*").expect_ok("a day goes by");
    let cap = before["total"].as_u64().expect("bytes") - 1_500_000;
    env.ok(["prune", "--max-size", &cap.to_string()]);
    let after = usage();
    assert!(after["total"].as_u64().expect("bytes") <= cap, "{after}");
    assert!(after["cache_mounts"].as_u64().expect("bytes") >= 2_000_000, "the one in use stays: {after}");
    using.kill().expect("it ends");
    using.wait().expect("it is waited for");
}

#[test]
fn a_prune_keeps_what_was_used_since() {
    let Some(env) = with_shell("cached::record::a_prune_keeps_what_was_used_since") else { return };
    build(&env, "old");
    env.shell("touch -d '2 days ago' \"$KILN_ROOT\"/cache/steps/*").expect_ok("two days go by");
    build(&env, "new");
    env.ok(["prune", "--keep-since", "1d"]);
    assert_eq!(build(&env, "new"), ["cached", "cached"]);
    assert!(build(&env, "old").iter().all(|said| said.starts_with("missed: argument 3 changed")));
    for bad in
        [["--keep-since", "yesterday"], ["--keep-since", "99999999999999999999w"], ["--max-size", "much"]]
    {
        let said = env.fails(125, [&["prune"], &bad[..]].concat());
        assert!(said.contains("hint: give "), "{said}");
    }
    env.ok(["prune", "--all"]);
    assert_eq!(
        env.shell("ls \"$KILN_ROOT\"/cache/steps \"$KILN_ROOT\"/cache/inputs | grep -c '^[0-9a-f]'").stdout,
        "0\n"
    );
}

#[test]
fn long_logs_are_folded_and_nobody_notices() {
    let Some(env) = with_shell("cached::record::long_logs_are_folded_and_nobody_notices") else { return };
    let c = from(&env);
    let script = format!(
        "m=$(kiln mount {c}); mkdir $m/d
        for n in $(seq 104); do
            echo $n >$m/d/$n; rm -f $m/d/$((n - 1)); ln -sfn $n $m/last
            kiln config --label n=$n {c} 2>/dev/null || exit
        done; kiln config --label n- {c}"
    );
    env.shell(&script).expect_ok("many steps");
    assert_eq!(env.ok(["run", &c, "--", "sh", "-c", "ls /d; cat /d/$(readlink /last)"]), "104\n104");
    env.ok(["prune"]);
    assert_eq!(env.ok(["run", &c, "--", "ls", "/d"]), "104");
    env.ok(["undo", &c, "2"]);
    let id = env.ok(["commit", "-q", "--timestamp", "0", &c]);
    let plain = env.ok(["from", "localhost/base"]);
    env.ok(["run", &plain, "--", "sh", "-c", "mkdir /d; echo 104 >/d/104; ln -s 104 /last"]);
    assert_eq!(env.ok(["commit", "-q", "--timestamp", "0", &plain]), id);
}
