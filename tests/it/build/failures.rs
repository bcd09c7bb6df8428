//! Stories of builds that fail, and of looking into what they leave; and how a build is told.

use super::with_busybox;
use crate::support::{tell, tell_as_buildah};

#[test]
fn the_step_that_failed_can_be_entered() {
    let Some(env) = with_busybox("the_step_that_failed_can_be_entered") else { return };
    env.write(
        "app/Dockerfile",
        "FROM localhost/base\nENV A=b\nUSER user\nWORKDIR /tmp\nRUN echo left >x; echo why; exit 3\n",
    );
    tell(
        &env,
        r#"
$ kiln build -q app
! STEP 5/5: RUN echo left >x; echo why; exit 3
! why
! error: stage 0 failed at `RUN echo left >x; echo why; exit 3`
!   --> Dockerfile:5
! Error: cannot build `Dockerfile`: cannot run `echo left >x; echo why; exit 3`: it ends with exit code 3
! hint: look at what it left: kiln shell --failed failed-app
[3]
$ kiln shell --failed failed-app sh -c 'cat x; pwd; echo $A; id -un'
left
/tmp
b
user
$ kiln build -q --on-fail shell -t localhost/named:1 app </dev/null 2>&1 | tail -n 1
hint: look at what it left: kiln shell --failed failed-named
$ kiln build -q app 2>/dev/null
[3]
$ kiln containers --noheading --format '{{.ContainerName}}' | sort
failed-app
failed-named
$ echo 'cat x; echo by hand; exit 9' | kiln build -q --on-fail shell -t localhost/named:1 app 2>/dev/null
left
by hand
[3]
$ kiln build -q --on-fail remove -t localhost/third app 2>&1 | grep -c hint
0
[1]
$ kiln build -q --force-rm -t localhost/third app 2>/dev/null
[3]
$ sed -i 's/exit 3/exit 0/' app/Dockerfile; kiln build -q app >/dev/null
$ kiln containers --noheading --format '{{.ContainerName}}'
failed-named
$ kiln build --on-fail explode app
! Error: cannot use `--on-fail=explode`: it may be keep or shell or remove
! hint: see `kiln build --help`
[125]
"#,
    );
    tell_as_buildah(
        &env,
        r#"
$ printf 'FROM localhost/base\nRUN exit 9\n' | buildah bud -q -f - app 2>/dev/null
[9]
$ buildah containers -q --filter name=failed-app
"#,
    );
}

#[test]
fn a_line_that_a_command_does_not_end_is_ended() {
    let Some(env) = with_busybox("a_line_that_a_command_does_not_end_is_ended") else { return };
    env.write(
        "c/Dockerfile",
        "FROM localhost/base\nRUN printf one; printf two >&2\nRUN printf three; exit 4\n",
    );
    for flags in ["--jobs 1", "--no-cache", "-q"] {
        let told = env.shell(&format!("kiln build {flags} c 2>&1"));
        assert!(told.code == 4 && told.stdout.contains("three\nerror: "), "{flags}: {told:?}");
        assert!(flags == "-q" || told.stdout.contains("two\nSTEP 3/3"), "{flags}: {told:?}");
    }
}

#[test]
fn a_failure_among_others_tells_its_last_output_again() {
    let Some(env) = with_busybox("a_failure_among_others_tells_its_last_output_again") else { return };
    env.write(
        "c/Dockerfile",
        "FROM localhost/base AS x\n\
         RUN --mount=type=cache,target=/begun touch /begun/x; sleep 0.5; echo fine\n\
         FROM localhost/base AS y\n\
         RUN --mount=type=cache,target=/begun while ! test -e /begun/x; do sleep 0.1; done; echo the reason; exit 4\n\
         FROM x\nCOPY --from=y /y /\n",
    );
    let outcome = env.kiln(["build", "c"]);
    assert_eq!(outcome.code, 4);
    let end = "echo the reason; exit 4`\n  --> Dockerfile:4\n\
               its last output:\n   the reason\nError: cannot build";
    assert!(outcome.stderr.contains(end), "{}", outcome.stderr);
    // Each step's lines are together.
    assert!(outcome.stderr.contains("sleep 0.5; echo fine\nfine\n"), "{}", outcome.stderr);
}

#[test]
fn progress_is_told_in_several_forms() {
    let Some(env) = with_busybox("progress_is_told_in_several_forms") else { return };
    env.write("c/Dockerfile", "FROM localhost/base\nRUN echo out; echo err >&2\n");
    assert_eq!(env.shell("kiln build --progress quiet c 2>&1 >/dev/null").expect_ok("quiet"), "");
    let told = env.shell("kiln build --no-cache --progress rawjson c 2>&1 >/dev/null").expect_ok("objects");
    let events: Vec<serde_json::Value> =
        told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!(of("step-began").len(), 2, "{told}");
    assert_eq!(of("step-ended")[1]["cached"], false);
    let mut output: Vec<String> = of("output").iter().map(|event| event["text"].to_string()).collect();
    output.sort();
    assert_eq!(output, [r#""err\n""#, r#""out\n""#]);
    let told = env.shell("kiln build --summary c 2>&1 >/dev/null").expect_ok("a table");
    assert!(told.contains("STEP     TIME") && told.contains("yes     RUN echo out"), "{told}");
    let live = env.shell("kiln build --progress tty c 2>&1 >/dev/null").expect_ok("moving lines");
    assert!(live.contains("STEP 2/2: RUN echo out; echo err >&2  cached"), "{live}");
    env.ok(["build", "-q", "--logfile", "log", "--no-cache", "c"]);
    assert_eq!(std::fs::read_to_string(env.path("log")).expect("a log"), "");
    env.ok(["build", "--logfile", "log", "--no-cache", "c"]);
    let log = std::fs::read_to_string(env.path("log")).expect("a log");
    assert!(log.contains("STEP 2/2") && log.contains("out\n"), "{log}");
    env.write("s/Dockerfile", "FROM scratch\nLABEL a=b\n");
    env.ok([
        "build",
        "--logfile",
        "l",
        "--logsplit",
        "--platform",
        "linux/amd64,linux/arm64",
        "-t",
        "list",
        "s",
    ]);
    assert!(env.path("l_linux_amd64").exists() && env.path("l_linux_arm64").exists());
    let error = env.fails(125, ["build", "--logsplit", "c"]);
    assert!(error.contains("--logfile"), "{error}");
}

#[test]
fn a_build_is_verified() {
    let Some(env) = with_busybox("a_build_is_verified") else { return };
    env.write("c/f", "f\n");
    env.write("c/Good", "FROM localhost/base\nCOPY f /f\nRUN mkdir /d; echo x >/d/x\nRUN ln -s x /l\n");
    env.write(
        "c/Bad",
        "FROM localhost/base\nRUN echo same >/same\nRUN hostname >/h\nRUN echo after >/after\n",
    );
    let id = env.ok(["build", "-q", "--verify", "-f", "Good", "-t", "good", "c"]);
    assert!(env.ok(["images", "-q", "--no-trunc", "good"]).contains(&id));
    let error = env.fails(125, ["build", "-q", "--verify", "-f", "Bad", "c"]);
    assert!(error.contains("from `/bin/sh -c hostname >/h` on: `/h`"), "{error}");
    // The order of names is nobody's promise, in the container as in the context.
    env.shell("mkdir -p c/dir; for n in 1 2 3 4 5 6 7 8 9; do touch c/dir/file-$n; done").expect_ok("files");
    for (step, file) in [
        ("COPY dir /dir\nRUN busybox find /dir >/copied", "/copied"),
        ("RUN --mount=type=bind,source=dir,target=/m busybox find /m >/mounted", "/mounted"),
        ("RUN mkdir /d; touch /d/a /d/b /d/c /d/d\nRUN busybox find /d >/made", "/made"),
        ("RUN --mount=type=cache,target=/kept echo x >>/kept/x; cat /kept/x >/cached", "/cached"),
        ("RUN umask >/umask", "/umask"),
    ] {
        env.write("c/Order", format!("FROM localhost/base\n{step}\n"));
        // What a cache holds by now is nobody's promise either.
        env.ok(["build", "-q", "-f", "Order", "c"]);
        let outcome = env.kiln(["build", "-q", "--verify", "-f", "Order", "c"]);
        // A umask is not a command's to see.
        let code = if file == "/umask" { 0 } else { 125 };
        assert!(outcome.code == code && outcome.stderr.contains(file) == (code != 0), "{step}: {outcome:?}");
    }
    // Nor is it in other contexts, and in what every command has.
    for (flags, step) in [
        ("--build-context other=c/dir", "RUN --mount=from=other,target=/m busybox find /m >/mounted"),
        ("--mount type=bind,source=dir,target=/m", "RUN busybox find /m >/mounted"),
    ] {
        env.write("c/Order", format!("FROM localhost/base\n{step}\n"));
        let outcome = env.shell(&format!("kiln build -q --verify {flags} -f Order c"));
        assert!(outcome.code == 125 && outcome.stderr.contains("/mounted"), "{step}: {outcome:?}");
        env.write("c/Order", format!("FROM localhost/base\n{}\n", step.replace("busybox find", "ls")));
        env.shell(&format!("kiln build -q --verify {flags} -f Order c")).expect_ok("a list in order");
    }
    let sorted = "FROM localhost/base\nCOPY dir /dir\nRUN --mount=target=/m ls /m/dir /dir >/sorted\n";
    env.write("c/Sorted", sorted);
    env.ok(["build", "-q", "--verify", "-f", "Sorted", "c"]);
    assert_eq!(env.ok(["containers", "-q"]), "");
    assert!(env.shell("ls $KILN_ROOT/tmp").expect_ok("nothing is left").is_empty());
}
