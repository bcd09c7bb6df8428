//! Stories of `kiln script`: what it writes, run in another store, gives the same image as a build.

use std::path::Path;

use crate::support::{Env, Need, images, needs, tell};

#[test]
fn a_script_gives_the_image_that_a_build_gives() {
    if !needs("a_script_gives_the_image_that_a_build_gives", &[Need::Root, Need::Busybox]) {
        return;
    }
    let env = Env::new();
    env.shell(super::build::corpus::CONTEXT).expect_ok("the context");
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a busybox");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    env.shell("KILN_ROOT=$PWD/other kiln pull -q oci:layout:localhost/base").expect_ok("the other store");
    let heredocs = "FROM localhost/base\nARG V=it's\nENV V=$V W='$x y'\nRUN <<E\necho \"$V\" >/one\nE\n\
                    COPY <<F /two\n$V\nF\nRUN <<'S'\n#!/bin/sh\necho three >/three\nS\nLABEL a=\"b \\\"c\\\"\" d='$e'\n\
                    HEALTHCHECK --interval=5s CMD true\nONBUILD RUN echo $later\nCOPY --exclude=*.sh app /app\n";
    env.write("context/heredocs.dockerfile", heredocs);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/build/corpus");
    let names =
        ["plain", "env_and_arg", "multi_stage", "stage_of_stage", "copies", "adds", "entrypoint_resets_cmd"];
    let files = names.iter().map(|name| corpus.join(format!("{name}.dockerfile")));
    for file in files.chain([env.path("context/heredocs.dockerfile")]) {
        let file = file.display();
        for layers in ["true", "false"] {
            let built = format!(
                "export SOURCE_DATE_EPOCH=1000000000; kiln build -q --layers={layers} -f {file} context"
            );
            let built = env.shell(&built).expect_ok("a build");
            let written = format!(
                "kiln script --layers={layers} -f {file} context >script; export SOURCE_DATE_EPOCH=1000000000 \
                 KILN_ROOT=$PWD/other; sh script context made 2>/dev/null"
            );
            let run = env.shell(&written).expect_ok("a script");
            if run != built {
                let show = |root: &str, id: &str| {
                    env.shell(&format!("{root} kiln inspect --type image {id} || true")).stdout
                };
                let script = std::fs::read_to_string(env.path("script")).expect("the script");
                let (ours, theirs) = (show("", &built), show("KILN_ROOT=$PWD/other", &run));
                panic!("{file} with layers={layers}:\n{script}\n{ours}\n{theirs}");
            }
        }
    }
    env.shell("KILN_ROOT=$PWD/other kiln check && rm -rf other").expect_ok("the other store is clean");
}

#[test]
fn a_script_is_one_to_read() {
    if !needs("a_script_is_one_to_read", &[Need::Root, Need::Busybox]) {
        return;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a busybox");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    env.write(
        "c/Dockerfile",
        "FROM localhost/base AS one\nRUN echo \"it's\" >/a\nFROM scratch\nCOPY --from=one /a /b\n",
    );
    tell(
        &env,
        r#"
$ kiln script c
$ kiln script --layers=false --target one c
$ printf 'FROM scratch\nRNU x\n' | kiln script -f -
$ kiln config --set '{"nothing": 1}' x
"#,
    );
}
