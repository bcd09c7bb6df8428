//! What a step takes from elsewhere: secrets, parts of images, files of other containers; and trees that are in doubt.

use super::{fate, from, with_shell};
use crate::support::Env;

#[test]
fn the_value_of_a_secret_counts_where_that_is_asked() {
    let Some(env) = with_shell("cached::elsewhere::the_value_of_a_secret_counts") else { return };
    let run = |secret: &str| {
        let flags = ["run", "--secret", secret, "--mount", "type=secret,id=t"];
        fate(&env, &[&flags[..], &[&from(&env), "--", "test", "-s", "/run/secrets/t"]].concat())
    };
    let write = |value: &str| drop(env.write("token", value));
    write("first-value");
    run("id=t,src=token");
    write("second-value");
    assert_eq!(run("id=t,src=token"), "cached");
    let keyed = "id=t,src=token,keyed";
    assert_eq!(run(keyed), "missed: secret t is new");
    assert_eq!(run(keyed), "cached");
    write("third-value");
    assert_eq!(run(keyed), "missed: secret t changed");
    assert_eq!(run(keyed), "cached");
    write("second-value");
    assert_eq!(run(keyed), "cached");
    // A secret that the command does not see says nothing.
    let unseen = |value: &str| {
        write(value);
        fate(&env, &["run", "--secret", keyed, &from(&env), "--", "true"])
    };
    unseen("one");
    assert_eq!(unseen("two"), "cached");
    // A build lends secrets in the same way.
    env.write(
        "ctx/Dockerfile",
        "FROM localhost/base\nRUN --mount=type=secret,id=t cat /proc/sys/kernel/random/uuid >/u\n",
    );
    let build = |value: &str, secret: &str| {
        write(value);
        env.ok(["build", "-q", "--layers", "--secret", secret, "ctx"])
    };
    let first = build("first-value", keyed);
    assert_eq!(build("first-value", keyed), first);
    let second = build("second-value", keyed);
    assert_ne!(second, first);
    let any = build("third-value", "id=t,src=token");
    assert_eq!(build("first-value", "id=t,src=token"), any);
    let found = env.shell("grep -rlE '(first|second|third)-value' \"$KILN_ROOT\" || true").stdout;
    assert_eq!(found, "", "no value is in the store");
}

/// Makes the image `tools` of the base and what `script` does.
fn tools(env: &Env, script: &str) {
    let c = env.ok(["from", "localhost/base"]);
    env.ok(["run", &c, "--", "sh", "-c", script]);
    env.ok(["commit", "-q", "--rm", &c, "tools"]);
}

#[test]
fn of_an_image_the_part_counts_that_is_mounted() {
    let Some(env) = with_shell("cached::elsewhere::of_an_image_the_part_counts_that_is_mounted") else {
        return;
    };
    let run = |source: &str| {
        let mount = format!("type=bind,from=localhost/tools,source={source},target=/m");
        fate(&env, &["run", "--mount", &mount, &from(&env), "--", "ls", "/m"])
    };
    let make = "mkdir -p /part/sub; echo x >/part/sub/x; ln -s part /link";
    tools(&env, &format!("{make}; echo 1 >/other"));
    for source in ["/part", "/part/sub/x", "/link", "/"] {
        run(source);
        assert_eq!(run(source), "cached", "{source}");
    }
    tools(&env, &format!("{make}; echo 2 >/other"));
    for source in ["/part", "/part/sub/x", "/link"] {
        assert_eq!(run(source), "cached", "{source}");
    }
    assert!(run("/").starts_with("missed: mount /m changed"));
    tools(&env, &format!("{make}; echo y >/part/sub/x"));
    assert!(run("/part").starts_with("missed: "));
    // The same mount, now with another file in it.
    tools(&env, &format!("{make}; echo z >/part/sub/x"));
    assert_eq!(run("/part"), "missed: part/sub/x changed");
    // What it is called there says nothing.
    assert_eq!(run("/link"), "cached");
    assert!(run("/part/sub/x").starts_with("missed: "));
    tools(&env, "mkdir -p /part/sub; ln -s part /link");
    let mount = "type=bind,from=localhost/tools,source=/part/sub/x,target=/m";
    assert_ne!(env.kiln(["run", "--mount", mount, &from(&env), "--", "true"]).code, 0, "it is gone");
}

#[test]
fn what_is_copied_out_of_an_image_is_read_once() {
    let Some(env) = with_shell("cached::elsewhere::what_is_copied_out_of_an_image_is_read_once") else {
        return;
    };
    tools(&env, "mkdir /part; echo first >/part/x");
    let copy = || fate(&env, &["copy", "-q", "--from", "localhost/tools", &from(&env), "/part", "/dst"]);
    copy();
    assert_eq!(copy(), "cached");
    // Nobody looks there any more; an image's files are what its layers say.
    let tamper = |text: &str| {
        let script = format!("for f in \"$KILN_ROOT\"/layers/*/fs/part/x; do printf '{text}\\n' >$f; done");
        env.shell(&script).expect_ok("the file in the store");
    };
    tamper("other");
    assert_eq!(copy(), "cached");
    tamper("first");
    env.shell("rm \"$KILN_ROOT\"/cache/stat/*").expect_ok("what was found out is forgotten");
    assert_eq!(copy(), "cached");
    tools(&env, "mkdir /part; echo second >/part/x");
    assert_eq!(copy(), "missed: part/x changed");
    // A cached container is known by its steps, and one that is changed by hand is read.
    let source = from(&env);
    env.ok(["run", &source, "--", "sh", "-c", "mkdir /part; echo first >/part/x"]);
    let copy = || fate(&env, &["copy", "-q", "--from", &source, &from(&env), "/part", "/dst"]);
    assert_eq!(copy(), "cached", "equal files, from elsewhere");
    env.shell(&format!("echo third >$(kiln mount {source})/part/x")).expect_ok("a change by hand");
    assert_eq!(copy(), "missed: part/x changed");
    assert_eq!(copy(), "cached");
}

#[test]
fn a_tree_in_doubt_is_no_hit() {
    let Some(env) = with_shell("cached::elsewhere::a_tree_in_doubt_is_no_hit") else { return };
    let run = || fate(&env, &["run", &from(&env), "--", "sh", "-c", "echo x >/in-doubt"]);
    run();
    assert_eq!(run(), "cached");
    // As it is marked after a power cut, where nothing can tell whether it is whole.
    let doubt = "for f in \"$KILN_ROOT\"/layers/*/fs/in-doubt; do
        sed -i 's/^{/{\"doubted\":true,/' ${f%/fs/in-doubt}/meta.json; done";
    env.shell(doubt).expect_ok("the tree is in doubt");
    assert_eq!(run(), "ran");
    assert_eq!(run(), "cached", "the new one is in no doubt");
}

#[test]
fn changes_by_hand_to_a_copied_tree_are_known_again() {
    let Some(mut env) = with_shell("cached::elsewhere::changes_by_hand_to_a_copied_tree") else { return };
    env.set("STORAGE_DRIVER", "vfs");
    // With and without taking the mount down between.
    let build = |text: &str, umount: bool| {
        let umount = if umount { "kiln umount $c >/dev/null" } else { "" };
        let script = format!(
            "c=$(kiln from --cached localhost/base); kiln run $c -- true
            m=$(kiln mount $c); echo {text} >$m/hand; {umount}
            kiln run $c -- cat /hand </dev/null
            m=$(kiln mount $c); echo {text} >>$m/hand; {umount}
            kiln commit -q $c; kiln log --format '{{{{.Kind}}}} {{{{.Cached}}}}' $c; kiln run $c -- cat /hand"
        );
        env.shell(&script).expect_ok("a build")
    };
    let all = |kinds: &[&str], known: &str| {
        let lines: Vec<String> = kinds.iter().map(|kind| format!("{kind} {known}")).collect();
        lines.join("\n")
    };
    let kinds = ["run", "hand", "run", "hand"];
    let first = build("text", true);
    assert!(first.contains(&all(&kinds, "false")), "{first}");
    for umount in [true, false] {
        let second = build("text", umount);
        assert!(second.contains(&all(&kinds, "true")), "{second}");
        // The same image, and the same files.
        assert_eq!(first.replace("false", "true"), second);
    }
    assert!(build("other", false).contains(&all(&kinds[1..], "false")));
}

#[test]
fn a_look_at_a_failure_has_its_privileges() {
    let Some(env) = with_shell("cached::elsewhere::a_look_at_a_failure_has_its_privileges") else { return };
    env.write("volume/file", "x");
    env.write("token", "x");
    let volume = format!("{}:/volume:ro", env.path("volume").display());
    let c = env.ok(["from", "--cached", "--cap-drop", "CHOWN", "-v", &volume, "localhost/base"]);
    let say = "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:|Groups' /proc/self/status; id; pwd; ls /volume; env | grep A=
        touch /volume/new 2>&1; mount | grep -c ' /memory '; ls /sys/class/net; cat /proc/sys/kernel/hostname";
    let flags = [
        &["run", "--cap-drop", "all", "--cap-add", "NET_ADMIN", "--security-opt", "no-new-privileges"][..],
        &[
            "--network",
            "none",
            "--user",
            "1000:5",
            "--env",
            "A=b",
            "--workingdir",
            "/tmp",
            "--hostname",
            "failed",
        ],
        &["--mount", "type=tmpfs,target=/memory", "--group-add", "2000"],
        &["--secret", "id=t,src=token", "--mount", "type=secret,id=t,required"],
    ]
    .concat();
    let failed = env.kiln([&flags[..], &[&c, "--", "sh", "-c", &format!("{say}; exit 3")]].concat());
    assert_eq!(failed.code, 3, "{failed:#?}");
    let look = env.kiln(["shell", "--failed", &c, "sh", "-c", say]);
    assert_eq!((look.code, look.stdout.as_str()), (0, failed.stdout.as_str()), "{look:#?}");
    assert!(failed.stdout.contains("file\n") && failed.stdout.contains("A=b\n"), "{failed:#?}");
    assert_eq!(look.stderr, "warning: the shell is without the secret `t`, which is kept nowhere\n");
}

#[test]
fn a_directory_keeps_the_time_of_a_cached_step_and_is_no_other_for_it() {
    let name = "cached::elsewhere::a_directory_keeps_the_time_of_a_cached_step";
    let Some(env) = with_shell(name) else { return };
    let build = || {
        env.shell(
            "c=$(kiln from --cached localhost/base); kiln run $c -- sh -c 'mkdir /d; echo x >/d/file'
            echo y >>$(kiln mount $c)/d/file; kiln run $c -- true
            kiln run $c -- sh -c 'echo z >>/d/file'; kiln commit -q $c",
        )
        .expect_ok("a build")
    };
    let first = build();
    // Longer than the clock of any file system is behind.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    assert_eq!(build(), first);
}
