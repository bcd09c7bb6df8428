//! No stale hit, and no needless miss: what changes a key and what does not, each in the way it happens to people.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{fate, from, with_shell};
use crate::support::Env;

/// Copies `src` in a new container, in the story's directory.
fn copy(env: &Env) -> String {
    fate(env, &["copy", "-q", &from(env), "src", "/dst"])
}

/// The same with `change` made between: what is said the second time.
fn after(env: &Env, change: impl FnOnce(&Path)) -> String {
    let src = env.path("src");
    let _ = std::fs::remove_dir_all(&src);
    env.write("src/main.rs", "fn main() {}");
    env.write("src/other", "other");
    std::os::unix::fs::symlink("other", src.join("link")).expect("a link");
    copy(env);
    assert_eq!(copy(env), "cached", "before the change");
    change(&src);
    copy(env)
}

#[test]
fn changed_sources_are_seen() {
    let Some(env) = with_shell("cached::honesty::changed_sources_are_seen") else { return };
    let run = |program: &str, args: &[&str]| {
        env.run(program, args);
    };
    let write = |path: &Path, text: &str| std::fs::write(path, text).expect("a file is written");
    let main = "missed: src/main.rs changed";
    assert_eq!(after(&env, |src| write(&src.join("main.rs"), "fn main() { }")), main);
    assert_eq!(after(&env, |src| write(&src.join("other"), "changed")), "missed: src/other changed");
    let mode = PermissionsExt::from_mode(0o755);
    assert_eq!(after(&env, |src| std::fs::set_permissions(src.join("main.rs"), mode).expect("a mode")), main);
    let renamed =
        after(&env, |src| std::fs::rename(src.join("main.rs"), src.join("lib.rs")).expect("a name"));
    assert_eq!(renamed, "missed: src/lib.rs was added");
    assert_eq!(after(&env, |src| write(&src.join("new"), "")), "missed: src/new was added");
    let gone = after(&env, |src| std::fs::remove_file(src.join("other")).expect("it goes"));
    assert_eq!(gone, "missed: src/other was removed");
    assert_eq!(after(&env, |_| run("ln", &["-sfn", "main.rs", "src/link"])), "missed: src/link changed");
    assert_eq!(after(&env, |_| run("setfattr", &["-n", "user.a", "-v", "b", "src/main.rs"])), main);
    // One file for another of the same size and time, at once and later.
    let same = |src: &Path, text: &str| {
        let path = src.join("main.rs");
        let before = std::fs::metadata(&path).and_then(|meta| meta.modified()).expect("a time");
        std::fs::write(&path, text).expect("as many bytes");
        std::fs::File::open(&path).and_then(|file| file.set_modified(before)).expect("the time is put back");
    };
    assert_eq!(after(&env, |src| same(src, "fn niam() {}")), main);
    let later = |src: &Path| {
        std::thread::sleep(std::time::Duration::from_millis(2200));
        assert_eq!(copy(&env), "cached");
        same(src, "fn amin() {}");
    };
    assert_eq!(after(&env, later), main);
}

#[test]
fn each_of_several_sources_counts() {
    let Some(env) = with_shell("cached::honesty::each_of_several_sources_counts") else { return };
    let copy = || fate(&env, &["copy", "-q", &from(&env), "first", "second", "third", "/dst/"]);
    for name in ["first/file", "second/file", "third"] {
        env.write(name, "one");
    }
    copy();
    assert_eq!(copy(), "cached");
    for (name, told) in [("second/file", "second/file"), ("third", "third"), ("first/file", "first/file")] {
        env.write(name, "two");
        assert_eq!(copy(), format!("missed: {told} changed"));
        assert_eq!(copy(), "cached", "{name}");
    }
    // What one loses the other may not gain unseen.
    env.run("mv", ["second/file", "first/other"]);
    assert!(copy().starts_with("missed: "));
}

#[test]
fn an_owner_counts_where_it_is_kept() {
    let Some(env) = with_shell("cached::honesty::an_owner_counts_where_it_is_kept") else { return };
    let source = env.ok(["from", "--name", "source", "localhost/base"]);
    env.ok(["run", &source, "--", "sh", "-c", "mkdir /d; echo x >/d/x"]);
    let copy = || fate(&env, &["copy", "-q", "--from", "source", &from(&env), "/d", "/d"]);
    copy();
    assert_eq!(copy(), "cached");
    env.ok(["run", &source, "--", "chown", "5:6", "/d/x"]);
    assert_eq!(copy(), "missed: d/x changed");
    env.ok(["run", &source, "--", "sh", "-c", "echo y >/elsewhere"]);
    assert_eq!(copy(), "cached");
    let chown = |owner: &str| fate(&env, &["copy", "-q", "--chown", owner, &from(&env), "layout", "/l"]);
    chown("1");
    assert!(chown("2").starts_with("missed: owner changed"));
}

#[test]
fn what_is_left_out_does_not_count_and_leaving_out_does() {
    let Some(env) = with_shell("cached::honesty::what_is_left_out_does_not_count") else { return };
    env.write("ctx/a", "a");
    env.write("ctx/b", "b");
    env.write("ctx/.dockerignore", "b\n.dockerignore\n");
    let copy = || fate(&env, &["copy", "-q", "--contextdir", "ctx", &from(&env), ".", "/dst/"]);
    copy();
    env.write("ctx/b", "changed");
    assert_eq!(copy(), "cached");
    env.write("ctx/.dockerignore", "a\n.dockerignore\n");
    assert!(copy().starts_with("missed: "));
}

#[test]
fn a_mounted_file_counts_and_a_writable_mount_is_never_known() {
    let Some(env) = with_shell("cached::honesty::a_mounted_file_counts") else { return };
    let data = env.write("data/file", "one");
    let dir = data.parent().expect("a directory").display().to_string();
    let run = |options: &str| {
        fate(&env, &["run", "-v", &format!("{dir}:/data:{options}"), &from(&env), "--", "cat", "/data/file"])
    };
    run("ro");
    assert_eq!(run("ro"), "cached");
    env.run("touch", ["data/file"]);
    assert_eq!(run("ro"), "cached");
    env.write("data/file", "two");
    assert!(run("ro").ends_with("data/file changed"));
    for _ in 0..2 {
        assert_eq!(run("rw"), "not cached: it has the writable mount /data");
    }
    run("O");
    assert_eq!(run("O"), "cached");
}

#[test]
fn what_a_command_can_see_counts_and_what_it_cannot_does_not() {
    let Some(env) = with_shell("cached::honesty::what_a_command_can_see_counts") else { return };
    let run = |configs: &[&str], flags: &[&str]| {
        let c = from(&env);
        if !configs.is_empty() {
            env.ok([&["config"], configs, &[c.as_str()]].concat());
        }
        fate(&env, &[&["run"], flags, &[&c, "--", "sh", "-c", "pwd; id; env"]].concat())
    };
    let set = ["--env", "A=b", "--user", "1"];
    run(&set, &[]);
    assert_eq!(run(&set, &[]), "cached");
    let unseen = ["--label", "a=b", "--cmd", "x", "--entrypoint", "y", "--port", "80", "--author", "z"];
    assert_eq!(run(&[&set[..], &unseen].concat(), &[]), "cached");
    assert_eq!(run(&["--env", "A=c", "--user", "1"], &[]), "missed: variable A changed");
    assert_eq!(run(&set, &[]), "cached");
    assert_eq!(run(&["--env", "A=b", "--user", "2"], &[]), "missed: user changed: `2`, before `1`");
    assert_eq!(run(&set, &[]), "cached");
    let other_place = ["--env", "A=b", "--user", "1", "--workingdir", "/tmp"];
    assert!(run(&other_place, &[]).starts_with("missed: working directory changed"));
    assert_eq!(run(&set, &[]), "cached");
    let other_platform = ["--env", "A=b", "--user", "1", "--arch", "riscv64"];
    assert!(run(&other_platform, &[]).starts_with("missed: platform changed"));
    for flags in [
        &["--env", "C=d"][..],
        &["--hostname", "other"],
        &["--network", "none"],
        &["--cap-add", "SYS_ADMIN"],
        &["--cap-drop", "CHOWN"],
        &["--no-hosts"],
        &["--user", "0"],
    ] {
        let said = run(&set, flags);
        assert!(said.starts_with("missed: "), "{flags:?}: {said}");
        assert_eq!(run(&set, flags), "cached", "{flags:?}");
    }
    // The same variable, from the image or from the flag.
    assert_eq!(run(&["--user", "1"], &["--env", "A=b"]), "cached");
}

#[test]
fn another_base_under_the_same_name_is_another() {
    let Some(env) = with_shell("cached::honesty::another_base_under_the_same_name") else { return };
    let run = || fate(&env, &["run", &from(&env), "--", "true"]);
    run();
    assert_eq!(run(), "cached");
    let c = env.ok(["from", "localhost/base"]);
    env.ok(["run", &c, "--", "touch", "/more"]);
    env.ok(["commit", "-q", &c, "localhost/base"]);
    assert_eq!(run(), "missed: the base localhost/base:latest is another image");
}

#[test]
fn where_and_when_and_who_says_nothing() {
    let Some(env) = with_shell("cached::honesty::where_and_when_and_who_says_nothing") else { return };
    assert_eq!(
        after(&env, |src| {
            env.run("touch", [src.join("main.rs")]);
        }),
        "cached"
    );
    assert_eq!(
        after(&env, |src| {
            env.run("touch", ["-d", "2001-01-01", &src.display().to_string()]);
        }),
        "cached"
    );
    // Another checkout, its files made in another order, by somebody else.
    let elsewhere = env.path("elsewhere");
    std::fs::create_dir_all(elsewhere.join("src")).expect("another checkout");
    for name in ["other", "link", "main.rs"] {
        env.run("cp", ["-P", &format!("src/{name}"), "elsewhere/src/"]);
    }
    env.run("chown", ["-hR", "4242:4242", "elsewhere"]);
    let copy = format!("kiln copy -q {} src /dst </dev/null", from(&env));
    let said = env.shell(&format!("cd elsewhere; {copy}"));
    assert_eq!(said.stderr, "cached\n");
    let whole = elsewhere.join("src").display().to_string();
    assert_eq!(fate(&env, &["copy", "-q", &from(&env), &whole, "/dst"]), "cached");
}

#[test]
fn standard_input_is_known_or_it_is_said() {
    let Some(env) = with_shell("cached::honesty::standard_input_is_known_or_it_is_said") else { return };
    env.write("input", "one\ntwo\nthree\n");
    let told = |script: &str| {
        let outcome = env.shell(&script.replace("$c", &from(&env)));
        assert_eq!(outcome.code, 0, "{outcome:#?}");
        (outcome.stdout, outcome.stderr)
    };
    // The command takes one line of the script's input, the script the next.
    let line =
        "exec <input; kiln run $c -- sh -c 'read line; echo \"got $line\"'; read next; echo \"next $next\"";
    let (first, _) = told(line);
    assert_eq!(first, "got one\nnext two\n");
    let (second, said) = told(line);
    assert_eq!((second, said.as_str()), (first, "cached\n"));
    env.write("input", "one\ntwo\nother\n");
    assert!(told(line).1.contains("missed: standard input changed"));
    let pipe = "echo one | kiln run $c -- cat";
    for _ in 0..2 {
        let (out, said) = told(pipe);
        assert_eq!(out, "one\n");
        assert!(
            said.starts_with("not cached: its standard input is a pipe\nhint: add </dev/null\n"),
            "{said}"
        );
    }
    // The script itself is on standard input: not a byte of it is taken.
    let script = "printf 'kiln run $c -- true\\necho went on\\n' | sh";
    assert_eq!(told(script).0, "went on\n");
}
