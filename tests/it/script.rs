//! Stories of `kiln script`: what it writes, run in another store, gives the same image as a build.

use std::path::Path;

use crate::add::Daemon;
use crate::support::fake::{Fake, Reply};
use crate::support::{Env, Need, images, needs, tell};

/// Builds files by both ways, in two stores, with layers and without.
fn compare(test: &str, names: &[&str], own: Option<&str>) {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return;
    }
    compare_in(&Env::new(), names, own);
}

/// As [`compare`], where there may be something already.
fn compare_in(env: &Env, names: &[&str], own: Option<&str>) {
    env.shell(super::build::corpus::CONTEXT).expect_ok("the context");
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a busybox");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    env.shell("KILN_ROOT=$PWD/other kiln pull -q oci:layout:localhost/base").expect_ok("the other store");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/build/corpus");
    let files = names.iter().map(|name| corpus.join(format!("{name}.dockerfile")));
    let own = own.map(|text| env.write("context/own.dockerfile", text));
    for (number, file) in files.chain(own).enumerate() {
        let file = file.display();
        let forms = if number == 0 { &["true", "false"][..] } else { &["true"] };
        for layers in forms {
            let built = format!(
                "export SOURCE_DATE_EPOCH=1000000000; kiln build -q --layers={layers} -f {file} context"
            );
            let built = env.shell(&built).expect_ok("a build");
            let written = format!(
                "kiln script --layers={layers} -f {file} context >script; export SOURCE_DATE_EPOCH=1000000000 \
                 KILN_ROOT=$PWD/other; sh script context made 2>/dev/null"
            );
            let run = env.shell(&written).expect_ok("a script");
            // Before the id is what its commands print.
            let run = run.lines().last().unwrap_or_default();
            if run != built {
                let show = |root: &str, id: &str| {
                    env.shell(&format!("{root} kiln inspect --type image {id} || true")).stdout
                };
                let script = std::fs::read_to_string(env.path("script")).expect("the script");
                let (ours, theirs) = (show("", &built), show("KILN_ROOT=$PWD/other", run));
                panic!("{file} with layers={layers}:\n{script}\n{ours}\n{theirs}");
            }
        }
    }
    env.shell("KILN_ROOT=$PWD/other kiln check && rm -rf other").expect_ok("the other store is clean");
}

/// How many stories share the corpus, so that each is short.
const PARTS: usize = 8;

/// Every eighth file of the corpus, from this one on.
fn compare_part(test: &str, first: usize) {
    let names = super::build::corpus::names();
    let part: Vec<&str> = names.iter().skip(first).step_by(PARTS).map(String::as_str).collect();
    assert!(part.len() >= 8, "{part:?}");
    compare(test, &part, None);
}

#[test]
fn a_script_gives_the_image_that_a_build_gives() {
    compare_part("a_script_gives_the_image_that_a_build_gives", 0);
}

#[test]
fn a_script_gives_the_image_of_more_files() {
    compare_part("a_script_gives_the_image_of_more_files", 1);
}

#[test]
fn a_script_gives_the_image_of_other_files() {
    compare_part("a_script_gives_the_image_of_other_files", 2);
}

#[test]
fn a_script_gives_the_image_of_further_files() {
    compare_part("a_script_gives_the_image_of_further_files", 3);
}

#[test]
fn a_script_gives_the_image_of_still_more_files() {
    compare_part("a_script_gives_the_image_of_still_more_files", 4);
}

#[test]
fn a_script_gives_the_image_of_files_beyond_those() {
    compare_part("a_script_gives_the_image_of_files_beyond_those", 5);
}

#[test]
fn a_script_gives_the_image_of_the_next_files() {
    compare_part("a_script_gives_the_image_of_the_next_files", 6);
}

#[test]
fn a_script_gives_the_image_of_the_rest() {
    compare_part("a_script_gives_the_image_of_the_rest", 7);
}

#[test]
fn a_script_keeps_every_letter() {
    let file = "FROM localhost/base\nARG V=\"it's\"\nENV V=$V W='$x y'\nRUN <<E\necho \"$V\" >/one\nE\n\
                COPY <<F /two\n$V\nF\nRUN <<'S'\n#!/bin/sh\necho three >/three\nS\n\
                LABEL a=\"b \\\"c\\\"\" d='$e'\nHEALTHCHECK --interval=5s CMD true\n\
                ONBUILD RUN echo $later\nCOPY --exclude=*.sh app /app\n";
    compare("a_script_keeps_every_letter", &[], Some(file));
}

#[test]
fn a_script_fetches_what_a_build_fetches() {
    let test = "a_script_fetches_what_a_build_fetches";
    if !needs(test, &[Need::Root, Need::Busybox, Need::Program("git")]) {
        return;
    }
    let env = Env::new();
    env.shell(
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
        git init -q -b main repo.git; cd repo.git; mkdir sub; echo one >sub/f; ln -s f sub/link; chmod 755 sub/f
        git add .; git commit -qm one; git tag v1; echo two >sub/f; git commit -qam two
        cd ..; tar -czf files.tar.gz -C repo.git sub; sha256sum files.tar.gz | cut -d' ' -f1 >sum",
    )
    .expect_ok("a repository");
    let daemon = Daemon::start(&env.path(""));
    let archive = std::fs::read(env.path("files.tar.gz")).expect("an archive");
    let server = Fake::start(move |_| Reply::new(200, archive.clone()));
    let (git, http) = (&daemon.address, format!("http://{}", server.host));
    let sum = std::fs::read_to_string(env.path("sum")).expect("a sum");
    let file = format!(
        "FROM localhost/base\nADD {git}/repo.git /newest/\nADD --link --chown=7:8 {git}/repo.git#v1:sub /tag\n\
         ADD --keep-git-dir --exclude=.git/logs --exclude=.git/index {git}/repo.git?tag=v1 /kept/\n\
         ADD {http}/a/files.tar.gz?x=1 /file/\nADD --unpack --checksum=sha256:{} {http}/files.tar.gz /all/\n\
         ADD --chmod=640 app/main.txt {http}/other /both/\nRUN rm -rf /kept/.git; find /newest /all\n",
        sum.trim()
    );
    compare_in(&env, &[], Some(&file));
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
#!/bin/sh
# usage: script [CONTEXT [IMAGE]]
set -eu
context=${1:-.}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/empty"

# stage 0 (one): FROM localhost/base AS one
c0=$(kiln from -q --cached localhost/base)
# RUN echo "it's" >/a
kiln run --terminal=false "$c0" -- /bin/sh -c 'echo "it'\''s" >/a' </dev/null
kiln config --created-by '/bin/sh -c echo "it'\''s" >/a' "$c0"

# stage 1: FROM scratch
c1=$(kiln from -q --cached scratch)
kiln config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$c1"
# COPY --from=one /a /b
kiln copy -q --created-by --from "$c0" "$c1" /a /b

kiln commit -q --layers --omit-empty-layer "$c1" ${2:+"$2"}
kiln rm "$c0" "$c1" >/dev/null
$ kiln script --layers=false --target one c
#!/bin/sh
# usage: script [CONTEXT [IMAGE]]
set -eu
context=${1:-.}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/empty"

# stage 0 (one): FROM localhost/base AS one
c0=$(kiln from -q --cached localhost/base)
# RUN echo "it's" >/a
kiln run --terminal=false "$c0" -- /bin/sh -c 'echo "it'\''s" >/a' </dev/null
kiln config --created-by '/bin/sh -c echo "it'\''s" >/a' "$c0"

kiln commit -q --layers "$c0" ${2:+"$2"}
kiln rm "$c0" >/dev/null
$ printf 'FROM scratch\nRNU x\n' | kiln script -f -
! error: there is no instruction `RNU`
!   --> standard input:2
!    2 | RNU x
!      | ^^^
! hint: did you mean `RUN`?
! Error: cannot build `standard input`: 1 error
[125]
$ kiln config --set '{"nothing": 1}' x
! Error: cannot understand the edit `{"nothing": 1}`: unknown variant `nothing`, expected one of `env`, `expanded-env`, `unset-env`, `clear-env`, `label`, `unset-label`, `clear-labels`, `annotation`, `unset-annotation`, `clear-annotations`, `entrypoint`, `cmd`, `user`, `working-dir`, `port`, `unset-port`, `clear-ports`, `volume`, `unset-volume`, `clear-volumes`, `on-build`, `clear-on-build`, `author`, `created-by`, `history-comment`, `comment`, `architecture`, `variant`, `os`, `os-version`, `os-feature`, `unset-os-feature`, `clear-os-features`, `hostname`, `domainname`, `stop-signal`, `shell`, `healthcheck`, `health-test`, `health-interval`, `health-timeout`, `health-start-period`, `health-start-interval`, `health-retries` at line 1 column 10
! hint: write it as --set '{"env": ["NAME", "VALUE"]}'
[125]
"#,
    );
}
