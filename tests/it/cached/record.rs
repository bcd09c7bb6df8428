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
    let script = "for n in 1 2 3 4; do
            (kiln run $(kiln from --cached localhost/base) -- sh -c 'sleep 0.5; cat /proc/sys/kernel/random/uuid; echo $$ >/x' </dev/null) &
        done; wait";
    let outcome = env.shell(script);
    let mut said: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(said.len(), 4, "{outcome:#?}");
    said.dedup();
    assert_eq!(said.len(), 1, "{outcome:#?}");
    assert_eq!(outcome.stderr.lines().filter(|line| *line == "cached").count(), 3, "{outcome:#?}");
}
