//! Whole scripts, run again.

use super::{fate, from, with_shell};
use crate::support::{Env, Need, images, needs};

const BUILD: &str = r#"
c=$(kiln from localhost/base)
kiln run $c -- sh -c 'echo one >/one; echo out; echo err >&2'
v=$(kiln run $c cat /one)
kiln config --label version=$v --env V=$v $c
kiln copy -q $c src /src
m=$(kiln mount $c)
echo by hand >$m/hand
kiln run $c -- sh -c 'cat /hand /src/a /one >/all; cat /proc/sys/kernel/random/uuid >/now'
kiln run $c -- sh -c 'test "$V" = one'
kiln commit -q $c made
kiln rm $c >/dev/null
"#;

#[test]
fn a_script_unchanged_gives_the_same_image_and_runs_nothing() {
    let Some(env) = with_shell("cached::scripts::a_script_unchanged_gives_the_same_image") else { return };
    env.write("src/a", "a");
    let script = format!("export KILN_CACHED=1\n{BUILD}");
    let first = env.shell(&script);
    assert_eq!(first.code, 0, "{first:#?}");
    assert!(first.stdout.starts_with("out\n"), "{first:#?}");
    assert!(first.stderr.contains("err\n") && !first.stderr.contains("cached"), "{first:#?}");
    let second = env.shell(&script);
    // The time of the newest step, and of the files it wrote, is what it was.
    assert_eq!(second.stdout, first.stdout);
    assert!(second.stderr.contains("err\n") && !second.stderr.contains("ran "), "{second:#?}");
    env.write("src/a", "b");
    let third = env.shell(&script);
    assert!(third.stderr.contains("missed: src/a changed"), "{third:#?}");
    assert_ne!(third.stdout, first.stdout);
}

#[test]
fn cold_and_cached_builds_are_the_same_image_under_a_fixed_time() {
    let Some(env) = with_shell("cached::scripts::cold_and_cached_builds_are_the_same_image") else { return };
    env.write("src/a", "a");
    let build = BUILD.replace("; cat /proc/sys/kernel/random/uuid >/now", "");
    let build = build.replace("commit -q", "commit -q --timestamp 1000000000");
    let ids: Vec<String> = ["", "export KILN_CACHED=1\n", "export KILN_CACHED=1\n"]
        .iter()
        .map(|first| env.shell(&format!("{first}{build}")).expect_ok("the script"))
        .collect();
    assert_eq!(ids[0], ids[1], "plain and cold");
    assert_eq!(ids[1], ids[2], "cold and cached");
    // In another store nothing is known.
    let other = format!(
        "export KILN_CACHED=1 KILN_ROOT=$PWD/other; kiln pull -q oci:layout:base >/dev/null\n{build}"
    );
    let other = env.shell(&other).expect_ok("the script in another store");
    assert!(other.ends_with(ids[0].lines().last().expect("an id")), "{other} {ids:?}");
}

#[test]
fn what_a_command_printed_comes_again_in_order_and_apart() {
    let Some(env) = with_shell("cached::scripts::what_a_command_printed_comes_again") else { return };
    let speak = ["sh", "-c", "echo 1; sleep 0.1; echo 2 >&2; sleep 0.1; printf 3; sleep 0.1; echo 4 >&2"];
    let all = || {
        let c = from(&env);
        let outcome = env.kiln([&["run", &c, "--"], &speak[..]].concat());
        (outcome.code, outcome.stdout, outcome.stderr)
    };
    let first = all();
    assert_eq!((first.0, first.1.as_str()), (0, "1\n3"));
    assert!(first.2.starts_with("2\n4\n"), "{first:?}");
    let (code, out, err) = all();
    assert_eq!((code, out.as_str(), err.as_str()), (0, "1\n3", "cached\n2\n4\n"));
    // Together they come as they came.
    let c = from(&env);
    let line = format!("kiln run {c} -- sh -c '{}' 2>&1 </dev/null", speak[2]);
    assert_eq!(env.shell(&line).stdout, "cached\n1\n2\n34\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let Some(env) = with_shell("cached::scripts::a_reader_that_goes_away_ends_the_command") else { return };
    let c = from(&env);
    for _ in 0..2 {
        let said = env.shell(&format!("kiln run {c} -- yes </dev/null 2>/dev/null | head -n 1"));
        assert_eq!(said.stdout, "y\n");
    }
    assert!(!env.ok(["log", "--format", "{{.Cached}}", &c]).contains("true"));
}

#[test]
fn a_failure_is_not_remembered_and_can_be_looked_into() {
    let Some(env) = with_shell("cached::scripts::a_failure_is_not_remembered") else { return };
    let c = from(&env);
    env.ok(["config", "--env", "A=b", &c]);
    let fail = ["run", "--env", "B=c", "--user", "7:8", &c, "--", "sh", "-c", "echo $A >/tmp/left; exit 3"];
    for _ in 0..2 {
        let outcome = env.kiln(fail);
        assert_eq!(outcome.code, 3);
        assert!(!outcome.stderr.contains("cached"), "{outcome:#?}");
    }
    let look = ["shell", "--failed", &c, "sh", "-c", "cat /tmp/left; echo $A $B; id -u; id -g; rm /tmp/left"];
    for _ in 0..2 {
        // What the look changes is dropped.
        assert_eq!(env.ok(look), "b\nb c\n7\n8");
    }
    assert_eq!(env.ok(["run", &c, "--", "cat", "/tmp/left"]), "b");
}

#[test]
fn more_than_can_be_kept_is_printed_and_not_recorded() {
    let Some(env) = with_shell("cached::scripts::more_than_can_be_kept_is_printed") else { return };
    let line = |c: &str| format!("kiln run {c} -- sh -c 'head -c 17000000 /dev/zero' </dev/null | wc -c");
    for _ in 0..2 {
        let c = from(&env);
        let outcome = env.shell(&line(&c));
        assert_eq!(outcome.stdout.trim(), "17000000");
        assert!(outcome.stderr.contains("not cached: it printed more than 16 MiB"), "{outcome:#?}");
    }
}

#[test]
fn an_equal_result_lets_later_steps_hit() {
    let Some(env) = with_shell("cached::scripts::an_equal_result_lets_later_steps_hit") else { return };
    let steps = |first: &str| {
        let c = from(&env);
        let first = fate(&env, &["run", &c, "--", "sh", "-c", first]);
        (first, fate(&env, &["run", &c, "--", "sh", "-c", "cat /made >/again"]))
    };
    assert_eq!(steps("echo made >/made").1, "ran");
    let (first, second) = steps("printf 'made\\n' >/made");
    assert!(first.starts_with("missed: argument 3 changed"), "{first}");
    assert_eq!(second, "cached");
    // A time that a command sets is something the next can see.
    let (_, second) = steps("echo made >/made; touch -d @1000000000 /made");
    assert!(second.starts_with("missed: an earlier step left other files"), "{second}");
}

#[test]
fn an_ordinary_users_script_hits_too() {
    let test = "cached::scripts::an_ordinary_users_script_hits_too";
    if !needs(test, &[Need::Busybox]) {
        return;
    }
    let Some(env) = Env::for_user(test) else { return };
    if images::write_busybox(&env.path("layout"), "base").is_none() {
        return;
    }
    env.ok(["pull", "-q", "oci:layout:base"]);
    env.write("src/a", "a");
    // Outside a session there is no mount to be seen.
    let build = BUILD.replace("m=$(kiln mount $c)\necho by hand >$m/hand\n", "").replace("/hand ", "");
    let build = build.replace("localhost/base", "base");
    let script = format!("export KILN_CACHED=1\n{build}");
    let first = env.shell(&script);
    assert_eq!(first.code, 0, "{first:#?}");
    let second = env.shell(&script);
    assert_eq!(second.stdout, first.stdout);
    assert!(!second.stderr.contains("ran "), "{second:#?}");
}

#[test]
fn an_ordinary_user_of_the_image_may_open_the_output_by_name() {
    let Some(env) = with_shell("cached::scripts::an_ordinary_user_of_the_image_may_open_the_output") else {
        return;
    };
    for said in ["ran", "cached"] {
        let c = from(&env);
        let outcome = env.kiln(["run", "--user", "1000", &c, "--", "sh", "-c", "echo by name >/dev/stdout"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "by name\n"), "{outcome:#?}");
        assert!(outcome.stderr.starts_with(said), "{outcome:#?}");
    }
}

#[test]
fn a_layer_for_each_step_or_one_for_all() {
    let Some(env) = with_shell("cached::scripts::a_layer_for_each_step_or_one_for_all") else { return };
    let c = from(&env);
    for n in ["1", "2", "3"] {
        env.ok(["run", "--add-history", &c, "--", "sh", "-c", &format!("echo {n} >/{n}; rm -f /2")]);
        env.ok(["config", "--label", &format!("n={n}"), &c]);
    }
    let look = |flags: &[&str]| {
        env.ok([&["commit", "-q", "--timestamp", "0"], flags, &[&c, "made"]].concat());
        let count = env.ok(["inspect", "--format", "{{len .OCIv1.rootfs.diff_ids}}", "made"]);
        let c = env.ok(["from", "made"]);
        (count, env.ok(["run", &c, "--", "sh", "-c", "ls /1 /3; ls / | grep -c 2 || true"]))
    };
    let (one, files) = look(&[]);
    assert_eq!((one.as_str(), files.as_str()), ("2", "/1\n/3\n0"));
    assert_eq!(look(&["--layers"]), ("4".to_owned(), files));
    let history = env.ok(["inspect", "--format", "{{range .OCIv1.history}}{{.created_by}};{{end}}", "made"]);
    assert!(
        history.ends_with("/bin/sh -c sh -c echo 2 >/2; rm -f /2;/bin/sh -c sh -c echo 3 >/3; rm -f /2;")
    );
    let plain = env.ok(["from", "localhost/base"]);
    let said = env.fails(125, ["commit", "--layers", &plain]);
    assert!(said.contains("it keeps no steps"), "{said}");
}
