//! Bad input: files and contexts that are wrong or hostile. The error is clear, the host untouched, the store clean.

use super::with_busybox;
use crate::support::Env;

/// Builds a file, which fails, and gives what is said.
fn refused(env: &Env, file: impl AsRef<[u8]>) -> String {
    env.write("file", file);
    env.fails(125, ["build", "-q", "-f", "file", "c"])
}

fn assert_clean(env: &Env) {
    assert_eq!(env.ok(["containers", "-q"]), "");
    env.ok(["check"]);
    let left: Vec<_> = std::fs::read_dir(env.store().join("tmp")).expect("the store").collect();
    assert!(left.len() <= 1, "{left:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let Some(env) = with_busybox("what_makes_no_sense_is_refused") else { return };
    env.write("c/f", "f\n");
    env.write("c/dir/g", "g\n");
    let mut wrong = Vec::new();
    for (file, words) in [
        ("", "the file has no instructions"),
        ("FROM\n", "FROM"),
        ("FROM localhost/base\nFRON x\n", "did you mean `FROM`?"),
        ("FROM localhost/base\nCOPY --form=x a b\n", "did you mean `--from`?"),
        ("FROM localhost/base\nRUN --mount=type=cache,targt=/x true\n", "targt"),
        ("FROM localhost/base AS a\nCOPY --from=a /x /y\n", "takes files of itself"),
        ("FROM localhost/base AS a\nCOPY --from=b /x /y\nFROM a AS b\n", "comes later"),
        ("FROM localhost/base AS a\nRUN --mount=from=7,target=/x true\n", "there is no stage 7"),
        ("FROM $NOTHING\n", "names no image"),
        ("FROM localhost/base\nCOPY /../../etc/passwd /x\n", "cannot copy"),
        ("FROM localhost/base\nCOPY f/../../outside /x\n", "cannot copy"),
        ("FROM localhost/base\nRUN --mount=type=bind,source=../..,target=/x true\n", "cannot"),
        ("FROM localhost/base\nRUN --mount=type=secret,id=none,required=true true\n", "none"),
        ("FROM localhost/base\nRUN --mount=type=cache,target=/c,id=../../x,mode=abc true\n", "mode"),
        ("FROM localhost/base\nCOPY <<../x /y/\nx\n../x\n", "cannot make a file called `../x`"),
        ("FROM localhost/base\nEXPOSE 99999\n", "99999"),
        ("FROM localhost/base\nENV a\n", "ENV"),
        ("FROM localhost/base\nARG S=NONSENSE\nSTOPSIGNAL $S\n", "`NONSENSE` is no signal"),
        ("FROM localhost/base\nRUN a\0b\n", "NUL"),
    ] {
        env.write("file", file);
        let outcome = env.kiln(["build", "-q", "--force-rm", "-f", "file", "c"]);
        let said = &outcome.stderr;
        if outcome.code != 125 || !said.contains(words) {
            wrong.push(format!("{file:?}: {words}: {said}"));
        }
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
    for (flags, words) in [
        (&["--secret", "id=x"][..], "cannot"),
        (&["--secret", "src=x"][..], "cannot"),
        (&["--ssh", "a=/no/such/socket/at/all"][..], ""),
        (&["--build-context", "x"][..], "it has no name"),
        (&["-t", "Upper"][..], "`Upper`"),
        (&["--manifest", "a:b:c"][..], "`a:b:c`"),
        (&["--label", "=x"][..], "a label without a name"),
        (&["--platform", "linux/"][..], "cannot use the platform"),
        (&["--provenance", "mode=max"][..], "write --provenance=false"),
        (&["--attest", "type=sbom"][..], "cannot use --attest"),
        (&["--builder", "other"][..], "cannot use --builder"),
        (&["--sbom=true"][..], "cannot use `--sbom`"),
    ] {
        env.write("file", "FROM localhost/base\nRUN --mount=type=ssh,id=a true\n");
        let said = env.fails(125, [&["build", "-q", "-f", "file"], flags, &["c"]].concat());
        assert!(said.contains(words), "{flags:?}: {said}");
    }
    // What scripts for Docker's command say, and is so in any case.
    let docker = ["--load", "--provenance=false", "--sbom=false", "--builder", "default"];
    env.write("file", "FROM localhost/base\n");
    let attest = ["--attest", "type=provenance,disabled=true", "-f", "file", "-t", "loaded", "c"];
    let id = env.ok([&["build", "-q"][..], &docker, &attest].concat());
    assert!(env.ok(["images", "-q", "--no-trunc", "loaded"]).contains(&id));
    env.ok(["rmi", "loaded"]);
    assert_clean(&env);
}

#[test]
fn links_out_of_a_context_lead_nowhere() {
    let Some(env) = with_busybox("links_out_of_a_context_lead_nowhere") else { return };
    env.write("outside/secret", "secret\n");
    env.shell(
        "mkdir -p c/d; ln -s ../outside c/dir; ln -s ../outside/secret c/file; ln -s /etc/passwd c/absolute
        ln -s ../../outside/secret c/d/deep",
    )
    .expect_ok("links");
    for source in ["dir/secret", "file", "absolute", "d/deep", "dir/."] {
        let said = refused(&env, format!("FROM scratch\nCOPY {source} /x\n"));
        assert!(said.contains("cannot copy"), "{source}: {said}");
    }
    let said =
        refused(&env, "FROM localhost/base\nRUN --mount=type=bind,source=dir,target=/in cat /in/secret\n");
    assert!(said.contains("cannot"), "{said}");
    // A link that is copied as one is one.
    env.write("file", "FROM localhost/base\nCOPY . /all\nRUN test -L /all/file && ! test -e /all/file\n");
    env.ok(["build", "-q", "-f", "file", "c"]);
    env.shell("ln -s ../outside/secret c/.dockerignore; printf 'FROM scratch\\n' >c/Dockerfile")
        .expect_ok("a link");
    let said = env.fails(125, ["build", "c"]);
    assert!(said.contains("leads out of the context"), "{said}");
    assert_clean(&env);
}

#[test]
fn long_files_and_many_stages_are_read() {
    let Some(env) = with_busybox("long_files_and_many_stages_are_read") else { return };
    env.shell("mkdir c").expect_ok("a context");
    let many = format!("FROM scratch\n{}", "LABEL a=b\n".repeat(100_000));
    env.write("file", &many);
    assert_eq!(env.kiln(["build", "--check", "-f", "file", "c"]).code, 0);
    let said = refused(&env, format!("FROM scratch\n{}", "LABLE a=b\n".repeat(100_000)));
    assert!(said.contains("did you mean `LABEL`?") && said.len() < 100_000, "{}", said.len());
    let said = refused(&env, vec![b'x'; 20 << 20]);
    assert!(said.contains("cannot") && said.len() < 10_000, "{}", said.len());
    let stages: String = (1..300).map(|number| format!("FROM s{} AS s{number}\n", number - 1)).collect();
    env.write("file", format!("FROM scratch AS s0\n{stages}LABEL last=1\n"));
    env.ok(["build", "-q", "-f", "file", "c"]);
    assert_clean(&env);
}

#[test]
fn what_is_swapped_while_it_is_mounted_reaches_nothing() {
    let Some(env) = with_busybox("what_is_swapped_while_it_is_mounted_reaches_nothing") else { return };
    env.write("outside/host", "of the host\n");
    let outside = env.path("outside").display().to_string();
    // One command puts a link where another's mount is from, and takes it away, over and over.
    let script = format!(
        "kiln from -q --name a localhost/base >/dev/null; kiln from -q --name b localhost/base >/dev/null
        mount=type=cache,id=shared,target=/c
        kiln run --mount $mount a sh -c 'mkdir -p /c/d /c/t; echo mine >/c/d/host'
        kiln run --mount $mount a sh -c 'n=0; while ! test -e /c/end && test $((n += 1)) -lt 20000; do
            mv /c/d /c/e; ln -s {outside} /c/d; rm /c/d; mv /c/e /c/d; done' >/dev/null 2>&1 &
        for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            kiln run --mount type=cache,id=shared,source=d,target=/in b sh -c 'cat /in/host; echo new >/in/new' || :
        done >said 2>&1; grep -c 'of the host' said || :
        kiln run --mount $mount b touch /c/end; wait; ls {outside}; kiln rm -a >/dev/null"
    );
    let outcome = env.shell(&script);
    assert_eq!(outcome.stdout, "0\nhost\n", "{outcome:?}");
    assert_clean(&env);
}

#[test]
fn a_stage_that_swaps_what_others_mount_reaches_nothing() {
    let Some(env) = with_busybox("a_stage_that_swaps_what_others_mount_reaches_nothing") else { return };
    env.write("outside/host", "of the host\n");
    let outside = env.path("outside").display().to_string();
    env.write("c/x", "x\n");
    // A stage makes links of what the next mounts, and a step makes a link of the parent of a mount's target.
    let file = format!(
        "FROM localhost/base AS swap\nRUN mkdir /d && echo mine >/d/host && mv /d /e && ln -s {outside} /d\n\
         FROM localhost/base\nRUN --mount=type=bind,from=swap,source=/d,target=/in cat /in/host\n"
    );
    env.write("file", file);
    let outcome = env.kiln(["build", "-q", "-f", "file", "c"]);
    assert!(outcome.code != 0 && !outcome.stderr.contains("of the host"), "{outcome:?}");
    let file = format!(
        "FROM localhost/base\nRUN ln -s {outside} /parent\n\
         RUN --mount=type=bind,source=x,target=/parent/below/x ls /parent/below && echo through >/parent/new\n"
    );
    env.write("file", file);
    let _ = env.kiln(["build", "-q", "--force-rm", "-f", "file", "c"]);
    let left: Vec<_> = std::fs::read_dir(env.path("outside")).expect("it is there").collect();
    assert_eq!(left.len(), 1, "the host is as it was: {left:?}");
    env.shell("kiln rm -a >/dev/null").expect_ok("the container that was kept");
    assert_clean(&env);
}
