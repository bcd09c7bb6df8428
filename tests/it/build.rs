//! Stories of `kiln build`: what Buildah makes of the same files, and what only Kiln can.

mod contexts;
pub mod corpus;
mod failures;
mod inputs;
mod outputs;
mod questions;
mod stages;
mod volumes;

use crate::support::{Env, Need, images, needs, tell, tell_as_buildah};

/// An environment with `localhost/base`, a busybox, in the store.
fn with_busybox(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a busybox");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    Some(env)
}

#[test]
fn a_build_is_told_and_told_again_from_the_cache() {
    let Some(env) = with_busybox("a_build_is_told_and_told_again_from_the_cache") else { return };
    env.write("context/file", "content\n");
    env.write("context/Dockerfile", "FROM localhost/base\nRUN echo hello\nCOPY file /\nCMD [\"x\"]\n");
    let built = env.shell("kiln build -t one context 2>err").expect_ok("a build");
    let again = env.shell("kiln build -t one context 2>again").expect_ok("a second build");
    assert!(built.len() == 64 && built == again, "{built} {again}");
    let told = std::fs::read_to_string(env.path("err")).expect("what was told");
    let steps = "STEP 1/4: FROM localhost/base\nSTEP 2/4: RUN echo hello\nhello\nSTEP 3/4: COPY file /\n\
                 STEP 4/4: CMD [\"x\"]\nCOMMIT one\nSuccessfully tagged localhost/one:latest\n";
    assert_eq!(told, steps);
    let told = std::fs::read_to_string(env.path("again")).expect("what was told");
    assert!(told.contains("RUN echo hello\nhello\n--> Using cache\n"), "{told}");
    assert_eq!(env.shell("kiln build -q context 2>&1").expect_ok("a quiet build"), built);
    env.write("context/file", "other\n");
    let other = env.ok(["build", "-q", "context"]);
    assert_ne!(other, built);
    assert_eq!(env.ok(["containers", "-q"]), "");
}

#[test]
fn layers_are_one_for_each_step_or_one_for_all() {
    let Some(env) = with_busybox("layers_are_one_for_each_step_or_one_for_all") else { return };
    env.write("c/Dockerfile", "FROM localhost/base\nRUN echo a >/a\nENV X=1\nRUN echo b >/b\nLABEL l=m\n");
    let layers = |image: &str| {
        let format = "{{len .OCIv1.RootFS.DiffIDs}} {{range .OCIv1.History}}{{.CreatedBy}}|{{end}}";
        env.ok(["inspect", "--type", "image", "--format", format, image])
    };
    let each =
        "|/bin/sh -c echo a >/a|/bin/sh -c #(nop) ENV X=1|/bin/sh -c echo b >/b|/bin/sh -c #(nop) LABEL l=m|";
    env.ok(["build", "-q", "-t", "each", "c"]);
    assert_eq!(layers("each"), format!("3 written by hand{each}"));
    env.ok(["build", "-q", "--layers=false", "-t", "all", "c"]);
    assert_eq!(layers("all"), format!("2 written by hand{each}"));
    env.shell_as_buildah("buildah bud -q -t as-buildah c").expect_ok("a build as buildah");
    assert_eq!(layers("as-buildah"), layers("all"));
    env.shell_as_buildah("BUILDAH_LAYERS=true buildah bud -q -t with-layers c").expect_ok("with layers");
    assert_eq!(layers("with-layers"), layers("each"));
    env.ok(["build", "-q", "--squash", "-t", "squashed", "c"]);
    assert!(layers("squashed").starts_with("1 "));
}

#[test]
fn flags_have_their_effect() {
    let Some(env) = with_busybox("flags_have_their_effect") else { return };
    let file = "ARG A=default\nFROM localhost/base AS first\nARG A\nARG B\nENV A=$A B=$B\nRUN echo \"$A$B\" >/ab\n\
                FROM first AS second\nRUN false\n";
    env.write("c/Dockerfile.other", file);
    env.write("args", "# a comment\nB=of file\n");
    env.ok([
        "build",
        "-q",
        "-f",
        "Dockerfile.other",
        "--target",
        "first",
        "--build-arg",
        "A=given",
        "--build-arg-file",
        "args",
        "-t",
        "one",
        "-t",
        "two:2",
        "--label",
        "x=y",
        "--annotation",
        "n=o",
        "--env",
        "C=d",
        "--unsetenv",
        "B",
        "--format",
        "docker",
        "--iidfile",
        "id",
        "--iidfile-raw",
        "raw",
        "--metadata-file",
        "meta",
        "--timestamp",
        "1000000000",
        "c",
    ]);
    let show = |format: &str| env.ok(["inspect", "--type", "image", "--format", format, "one"]);
    assert_eq!(show("{{.OCIv1.Config.Env}}"), "[PATH=/bin A=given C=d]");
    assert_eq!(show("{{.OCIv1.Config.Labels}}"), "map[x:y]");
    assert!(show("{{.Manifest}}").contains("vnd.docker"));
    let id = std::fs::read_to_string(env.path("raw")).expect("the raw id");
    assert_eq!(std::fs::read_to_string(env.path("id")).expect("the id"), format!("sha256:{id}"));
    let meta = std::fs::read_to_string(env.path("meta")).expect("metadata");
    let meta: serde_json::Value = serde_json::from_str(&meta).expect("an object");
    assert_eq!(meta["containerimage.config.digest"], format!("sha256:{id}"));
    assert_eq!(meta["containerimage.descriptor"]["digest"], meta["containerimage.digest"]);
    assert_eq!(meta["image.name"], "localhost/one:latest,localhost/two:2");
    assert!(env.ok(["images", "-q", "--no-trunc", "two:2"]).contains(&id));
    let again =
        "kiln build -q -f Dockerfile.other --target first --build-arg A=given --timestamp 1000000000 c";
    assert_eq!(env.shell(again).expect_ok("again"), env.shell(again).expect_ok("and again"));
    env.ok([
        "build",
        "-q",
        "--no-cache",
        "--network",
        "none",
        "--target",
        "0",
        "-f",
        "c/Dockerfile.other",
        "c",
    ]);
    let error =
        env.fails(125, ["build", "--platform", "linux/s390x,linux/amd64", "-f", "Dockerfile.other", "c"]);
    assert!(error.contains("cannot build for several platforms"), "{error}");
    let error = env.fails(125, ["build", "--target", "fist", "-f", "Dockerfile.other", "c"]);
    assert!(error.contains("did you mean `--target first`?"), "{error}");
    let error = env.fails(125, ["build", "--build-arg", "=x", "-f", "Dockerfile.other", "c"]);
    assert!(error.contains("it has no name"), "{error}");
}

#[test]
fn several_platforms_become_a_list() {
    let Some(env) = with_busybox("several_platforms_become_a_list") else { return };
    env.write(
        "c/Dockerfile",
        "FROM scratch\nARG TARGETARCH\nARG TARGETPLATFORM\n\
         LABEL for=$TARGETPLATFORM\nCOPY f /f-$TARGETARCH\n",
    );
    env.write("c/f", "f\n");
    let ids = env.ok(["build", "-q", "--platform", "linux/amd64,linux/arm64/v8", "--manifest", "list", "c"]);
    let labels = ids.lines().map(|id| {
        let format = "{{.OCIv1.Architecture}} {{.OCIv1.Variant}} {{.OCIv1.Config.Labels}}";
        env.ok(["inspect", "--type", "image", "--format", format, id])
    });
    let labels: Vec<String> = labels.collect();
    assert_eq!(labels, ["amd64  map[for:linux/amd64]", "arm64 v8 map[for:linux/arm64/v8]"]);
    let list = env.ok(["manifest", "inspect", "list"]);
    assert!(list.contains("amd64") && list.contains("arm64"), "{list}");
}

#[test]
fn mounts_of_commands() {
    let Some(env) = with_busybox("mounts_of_commands") else { return };
    let file = "FROM localhost/base AS other\nRUN echo of stage >/made\nFROM localhost/base\n\
                RUN --mount=type=bind,source=dir,target=/mnt cat /mnt/file >/one\n\
                RUN --mount=type=bind,from=other,source=/made,target=/mnt/made cat /mnt/made >/two\n\
                RUN --mount=type=cache,target=/cache,id=of-this-test echo x >>/cache/x && cat /cache/x >/three\n\
                RUN --mount=type=tmpfs,target=/scratch touch /scratch/x\n\
                RUN --mount=type=secret,id=word cat /run/secrets/word >/four\n\
                RUN --network=none --mount=type=secret,id=word,env=WORD echo \"$WORD\" >/five\n";
    env.write("c/Dockerfile", file);
    env.write("c/dir/file", "of context\n");
    env.write("word", "secret");
    env.ok(["build", "-q", "-t", "image", "--secret", "id=word,src=word", "c"]);
    let show = "m=$(kiln mount $(kiln from image)); cd $m
        cat one two three four; echo; cat five; ls -d mnt cache scratch run 2>&1 | wc -l";
    let shown = env.shell(show).expect_ok("files");
    assert!(shown.starts_with("of context\nof stage\nx\nsecret\nsecret\n"), "{shown}");
    let error = env.shell("kiln build c 2>&1 || true").expect_ok("it fails");
    assert!(error.contains("word"), "{error}");
}

#[test]
fn contexts_are_directories_tars_and_standard_input() {
    let Some(env) = with_busybox("contexts_are_directories_tars_and_standard_input") else { return };
    env.write("c/Containerfile", "FROM localhost/base\nCOPY f /f\n");
    env.write("c/f", "context\n");
    env.write("other/g", "named\n");
    env.shell("ls -d c; cd c; kiln build -q -t a; tar -c . | kiln build -q -t b -; tar -cz . | kiln build -q -t c -")
        .expect_ok("contexts");
    env.shell("printf 'FROM localhost/base\\nRUN echo x >/x\\n' | kiln build -q -t d -")
        .expect_ok("a file alone");
    env.shell("printf 'FROM scratch\\nCOPY f /g\\n' | kiln build -q -t e -f - c")
        .expect_ok("a file and a context");
    let named = "printf 'FROM base2\\nCOPY --from=more g /g\\n' | kiln build -q -t f -f - \
                 --build-context more=other --build-context base2=docker-image://localhost/base c";
    env.shell(named).expect_ok("named contexts");
    for (image, path, text) in [
        ("a", "f", "context"),
        ("b", "f", "context"),
        ("c", "f", "context"),
        ("d", "x", "x"),
        ("e", "g", "context"),
        ("f", "g", "named"),
    ] {
        let read = format!("m=$(kiln mount $(kiln from {image})); cat $m/{path}");
        assert_eq!(env.shell(&read).expect_ok(image), text, "{image}");
    }
    env.write("secret", "secret");
    env.shell("ln -s ../secret c/leads-out; ln -s ../secret c/Dockerfile").expect_ok("links");
    for (file, words) in [
        ("COPY ../secret /x", "cannot copy `../secret`"),
        ("COPY leads-out /x", "cannot copy `/leads-out`"),
        ("COPY /../../secret /x", "cannot copy"),
        ("COPY nothing /x", "cannot copy `nothing`"),
    ] {
        let outcome = env.shell(&format!("printf 'FROM scratch\\n{file}\\n' | kiln build -f - c"));
        assert!(outcome.code == 125 && outcome.stderr.contains(words), "{file}: {outcome:?}");
    }
    env.shell("rm c/Containerfile").expect_ok("only the link is left");
    let error = env.fails(125, ["build", "c"]);
    assert!(error.contains("leads out of the context"), "{error}");
    let error = env.fails(125, ["build", "nowhere"]);
    assert!(error.contains("cannot use the context `nowhere`"), "{error}");
}

#[test]
fn what_only_buildkit_and_kiln_understand() {
    let Some(env) = with_busybox("what_only_buildkit_and_kiln_understand") else { return };
    let file = "FROM localhost/base\nENV V=value\nRUN <<E\necho one >/one\necho \"$V\" >/two\nE\n\
                RUN cat >/three <<A\nin $V\nA\nCOPY <<F <<'G' /files/\n$V\nF\n$V\nG\n\
                RUN <<S\n#!/bin/sh -e\necho script >/four\nS\n\
                COPY --parents d/./e/f /parents/\nCOPY --exclude=*.log d /excluded\nADD --unpack=false t.tar /whole/\n\
                COPY --link d/e/f /linked/f\n";
    env.write("c/Dockerfile", file);
    env.write("c/d/e/f", "f\n");
    env.write("c/d/x.log", "log\n");
    env.shell("tar -C c -cf c/t.tar d; kiln build -q -t image c").expect_ok("a build");
    let show = "m=$(kiln mount $(kiln from image)); cd $m; cat one two three four files/F files/G; \
                find parents excluded whole linked -type f | sort; stat -c %a files/F";
    assert_eq!(
        env.shell(show).expect_ok("files"),
        "one\nvalue\nin value\nscript\nvalue\n$V\nexcluded/e/f\nlinked/f\nparents/e/f\nwhole/t.tar\n644"
    );
}

#[test]
fn what_an_image_has_for_builds_on_it_is_done() {
    let Some(env) = with_busybox("what_an_image_has_for_builds_on_it_is_done") else { return };
    env.write("c/f", "late\n");
    env.write(
        "c/Dockerfile",
        "FROM localhost/base\nONBUILD ARG X=1\nONBUILD RUN echo $X >/x\nONBUILD COPY f /late\n",
    );
    env.write("c/Next", "FROM localhost/parent\nRUN cat /x /late >/both\n");
    env.ok(["build", "-q", "-t", "parent", "c"]);
    env.ok(["build", "-q", "-t", "child", "--build-arg", "X=2", "-f", "Next", "c"]);
    let show = "m=$(kiln mount $(kiln from child)); cat $m/both
        kiln inspect --format '{{.OCIv1.Config.OnBuild}}' child";
    let shown = env.shell(show).expect_ok("the child");
    assert!(shown.starts_with("2\nlate\n"), "{shown}");
}

#[test]
fn failures_have_a_place_and_the_commands_exit_code() {
    let Some(env) = with_busybox("failures_have_a_place_and_the_commands_exit_code") else { return };
    env.write("c/Dockerfile", "FROM localhost/base AS one\nRUN echo before; echo why >&2; exit 7\n");
    tell(
        &env,
        r#"
$ kiln build c
! STEP 1/2: FROM localhost/base AS one
! STEP 2/2: RUN echo before; echo why >&2; exit 7
! before
! why
! error: stage `one` failed at `RUN echo before; echo why >&2; exit 7`
!   --> Dockerfile:2
! Error: cannot build `Dockerfile`: cannot run `echo before; echo why >&2; exit 7`: it ends with exit code 7
! hint: look at what it left: kiln shell --failed failed-c
[7]
$ kiln build -q c
! STEP 2/2: RUN echo before; echo why >&2; exit 7
! before
! why
! error: stage `one` failed at `RUN echo before; echo why >&2; exit 7`
!   --> Dockerfile:2
! Error: cannot build `Dockerfile`: cannot run `echo before; echo why >&2; exit 7`: it ends with exit code 7
! hint: look at what it left: kiln shell --failed failed-c
[7]
$ printf 'FROM localhost/base\nRUN --mount=type=nothing x\nCOPY --from=1 a b\nRNU y\n' | kiln build -f - c
! error: the mount option `type` cannot be `nothing`, only one of bind, cache, tmpfs, secret, ssh
!   --> standard input:2
!    2 | RUN --mount=type=nothing x
!      |             ^^^^^^^^^^^^
! error: there is no instruction `RNU`
!   --> standard input:4
!    4 | RNU y
!      | ^^^
! hint: did you mean `RUN`?
! Error: cannot build `standard input`: 2 errors
[125]
$ printf 'FROM localhost/base AS x\nCOPY --from=later a b\nFROM x AS later\n' | kiln build -f - c
! error: the stage `later` comes later
!   --> standard input:2
!    2 | COPY --from=later a b
!      |             ^^^^^
! expected: a stage that comes before this one
! Error: cannot build `standard input`: 1 error
[125]
$ printf 'FROM nowhere/at/all\n' | kiln build -f - c
! STEP 1/1: FROM nowhere/at/all
! error: stage 0 failed at `FROM nowhere/at/all`
!   --> standard input:1
! Error: cannot build `standard input`: cannot resolve the short name `nowhere/at/all`: there is no alias for it, and no registry to search in
! hint: write the whole name, HOST/nowhere/at/all, or set unqualified-search-registries in registries.conf
[125]
$ kiln build -f nothing c
! Error: cannot read `c/nothing`: No such file or directory (os error 2)
[125]
"#,
    );
}

#[test]
fn mistakes_are_warned_of() {
    let Some(env) = with_busybox("mistakes_are_warned_of") else { return };
    env.write("c/Dockerfile", "FROM localhost/base as Base\nARG API_TOKEN\nCMD echo hi\n");
    env.write("c/Strict", "# check=error=true\nFROM scratch\nMAINTAINER me\n");
    env.write("c/Right", "# check=error=true\nFROM scratch\nLABEL a=b\n");
    tell(
        &env,
        r#"
$ kiln build --check c
Check complete, 4 warnings found.
! warning: FromAsCasing: `as` and `FROM` are written in different ways
!   --> Dockerfile:1
!    1 | FROM localhost/base as Base
!      |                 ^^
! warning: StageNameCasing: the name of the stage `Base` should be in small letters
!   --> Dockerfile:1
!    1 | FROM localhost/base as Base
!      |                        ^^^^
! warning: SecretsUsedInArgOrEnv: do not use ARG for sensitive data (ARG "API_TOKEN"): the image keeps it
!   --> Dockerfile:2
!    2 | ARG API_TOKEN
!      |     ^^^^^^^^^
! hint: hand it to the command that needs it: RUN --mount=type=secret,id=NAME
! warning: JSONArgsRecommended: JSON arguments recommended for CMD: a shell in between keeps signals from arriving
!   --> Dockerfile:3
!    3 | CMD echo hi
! hint: write it as CMD ["program", "argument"]; or name the shell with SHELL, if it is meant
[1]
$ kiln build --call targets c
TARGET          BASE            DESCRIPTION
base (default)  localhost/base  
$ kiln build --call outline c
TARGET: base

BUILD ARG  VALUE  DESCRIPTION
API_TOKEN         
$ kiln build -f Strict c
! warning: MaintainerDeprecated: MAINTAINER is deprecated in favour of a label
!   --> Strict:3
!    3 | MAINTAINER me
!      | ^^^^^^^^^^
! hint: LABEL org.opencontainers.image.authors="NAME"
! Error: cannot build with warnings: there are 1, and `check` says error=true
! hint: mend what they are about, or skip them: # check=skip=NAMES
[125]
$ kiln build --check -f Right c
Check complete, no warnings found.
$ kiln build -q -f Right --build-arg NOBODY=x c >/dev/null
$ kiln build -f Right --build-arg NOBODY=x c >/dev/null
! warning: one or more build args were not consumed: [NOBODY]
! STEP 1/2: FROM scratch
! --> Using cache
! STEP 2/2: LABEL a=b
! --> Using cache
! COMMIT
"#,
    );
    tell_as_buildah(
        &env,
        r#"
$ buildah build --nosuch c
! Error: cannot understand `--nosuch`: `buildah build` has no such flag
! hint: did you mean `--os`? see `buildah build --help`
[125]
$ buildah bud -f Right --timestamp 0 c
STEP 1/2: FROM scratch
STEP 2/2: LABEL a=b
COMMIT
--> <short-1>
<id-1>
"#,
    );
}

#[test]
fn an_ordinary_user_builds() {
    let Some(env) = Env::for_user("an_ordinary_user_builds") else { return };
    if !needs("an_ordinary_user_builds", &[Need::Busybox]) {
        return;
    }
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a busybox");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    env.write("c/Dockerfile", "FROM localhost/base\nRUN id -u >/id && chown user /id\nCOPY Dockerfile /d\n");
    let first = env.ok(["build", "-q", "--timestamp", "0", "c"]);
    assert_eq!(env.ok(["build", "-q", "--timestamp", "0", "c"]), first);
    let links = "FROM localhost/base\nRUN echo one >/a; ln /a /b; chown 5:6 /a\n\
                 RUN echo two >>/b; cat /a; stat -c '%h %u:%g' /a\n";
    env.write("c/Links", links);
    let told = env.shell("kiln build --layers=false -f Links c 2>&1 >/dev/null").expect_ok("one layer");
    assert!(told.contains("one\ntwo\n2 5:6\n"), "{told}");
}
