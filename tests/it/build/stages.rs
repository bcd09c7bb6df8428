//! Stories of stages: which are built and kept, what they inherit, and what of them is taken from the cache.

use super::with_busybox;
use crate::support::tell;

const FILE: &str = "FROM localhost/base AS one\nLABEL of=one\nRUN echo a >/a\nFROM one AS two\nRUN echo b >/b\n\
                    FROM localhost/base AS unused\nRUN echo never >/u\nFROM localhost/base\nCOPY --from=two /a /b /\n";

#[test]
fn nothing_is_left_but_the_image() {
    let Some(env) = with_busybox("nothing_is_left_but_the_image") else { return };
    env.write("c/Dockerfile", FILE);
    for layers in ["--layers=true", "--layers=false"] {
        env.ok(["build", "-q", layers, "-t", "image", "c"]);
        env.ok(["build", "-q", layers, "-t", "image", "--no-cache", "c"]);
    }
    env.shell("kiln images -q --filter dangling=true | xargs -r kiln rmi")
        .expect_ok("images that lost their name");
    tell(
        &env,
        r#"
$ kiln images -a --noheading --format '{{.Name}}' | sort
localhost/base
localhost/image
$ kiln containers -q
$ kiln check
"#,
    );
}

#[test]
fn stages_are_kept_and_labelled() {
    let Some(env) = with_busybox("stages_are_kept_and_labelled") else { return };
    env.write("c/Dockerfile", FILE);
    env.ok(["build", "-q", "-t", "image", "--save-stages", "--stage-labels", "--layer-label", "x=y", "c"]);
    let labels = "kiln images -a -q --filter label=io.buildah.stage.name | while read id; do
        kiln inspect --type image --format '{{.OCIv1.Config.Labels}}' $id
        done | sed 's/base:[0-9a-f]\\{64\\}/base:ID/' | sort";
    assert_eq!(
        env.shell(labels).expect_ok("labels"),
        "map[io.buildah.stage.base:ID io.buildah.stage.name:two of:one x:y]\n\
         map[io.buildah.stage.base:localhost/base io.buildah.stage.name:3]\n\
         map[io.buildah.stage.base:localhost/base io.buildah.stage.name:one of:one x:y]"
    );
    let error = env.fails(125, ["build", "--stage-labels", "c"]);
    assert!(error.contains("--save-stages"), "{error}");
    let error = env.fails(125, ["build", "--save-stages", "--layer-label", "=x", "c"]);
    assert!(error.contains("a label without a name"), "{error}");
}

#[test]
fn unused_stages_are_built_where_asked_for() {
    let Some(env) = with_busybox("unused_stages_are_built_where_asked_for") else { return };
    env.write("c/Dockerfile", "FROM localhost/base AS broken\nRUN false\nFROM localhost/base\nLABEL a=b\n");
    env.ok(["build", "-q", "c"]);
    let outcome = env.kiln(["build", "--skip-unused-stages=false", "c"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("stage `broken` failed"), "{outcome:?}");
}

#[test]
fn steps_are_performed_anew() {
    let Some(env) = with_busybox("steps_are_performed_anew") else { return };
    env.write("c/Dockerfile", FILE);
    env.ok(["build", "-q", "c"]);
    let cached = |flags: &str| {
        let told = env.shell(&format!("kiln build {flags} c 2>&1 >/dev/null")).expect_ok(flags);
        let mut steps: Vec<&str> = Vec::new();
        let mut last = "";
        for line in told.lines() {
            if line == "--> Using cache" {
                steps.push(last.rsplit(' ').next().unwrap_or_default());
            } else if line.contains("STEP") {
                last = line;
            }
        }
        steps.sort_unstable();
        steps.join(" ")
    };
    assert_eq!(cached(""), "/ >/a >/b of=one");
    assert_eq!(cached("--no-cache"), "");
    assert_eq!(cached("--cache-ttl 0"), "");
    assert_eq!(cached("--cache-ttl 1h"), "/ >/a >/b of=one");
    // What is copied from it is as it was.
    assert_eq!(cached("--no-cache-filter two"), "/ >/a of=one");
    assert_eq!(cached("--no-cache-filter 0,3"), ">/b");
    let told = env.shell("kiln build --no-cache-filter nosuch c 2>&1 >/dev/null").expect_ok("no such stage");
    assert!(told.contains("warning: there is no stage `nosuch`"), "{told}");
    let error = env.fails(125, ["build", "--cache-ttl", "soon", "c"]);
    assert!(error.contains("a duration is a number and a unit"), "{error}");
}

#[test]
fn labels_and_annotations_are_inherited_or_not() {
    let Some(env) = with_busybox("labels_and_annotations_are_inherited_or_not") else { return };
    env.write("base/Dockerfile", "FROM localhost/base\nLABEL of=parent\n");
    env.write("c/Dockerfile", "FROM localhost/parent\nLABEL own=1\nRUN true\n");
    env.ok(["build", "-q", "-t", "parent", "--annotation", "x=y", "base"]);
    let show = |flags: &[&str]| {
        env.ok([&["build", "-q", "-t", "image"], flags, &["c"]].concat());
        let labels = env.ok(["inspect", "--type", "image", "--format", "{{.OCIv1.Config.Labels}}", "image"]);
        let annotations =
            env.ok(["inspect", "--type", "image", "--format", "{{.ImageAnnotations}}", "image"]);
        format!("{labels} {}", annotations.contains("x:y"))
    };
    assert_eq!(show(&[]), "map[of:parent own:1] true");
    assert_eq!(show(&["--inherit-labels=false"]), "map[own:1] true");
    assert_eq!(show(&["--inherit-annotations=false"]), "map[of:parent own:1] false");
}

#[test]
fn steps_are_kept_elsewhere() {
    use crate::support::registry::{Setup, with_registry};
    let Some((env, _registry)) = with_registry("steps_are_kept_elsewhere", Setup::default()) else { return };
    env.write("c/f", "f\n");
    env.write(
        "c/Dockerfile",
        "FROM localhost/shell\nENV A=b\n\
         RUN echo said; yes spoken | head -c 1000000; echo $A >/a; rm -r /home\nWORKDIR /w\nCOPY f .\nRUN test -e f\n",
    );
    crate::support::images::write_busybox(&env.path("bb"), "localhost/shell").expect("a busybox");
    let script = |place: &str| {
        format!(
            "set -e; export SOURCE_DATE_EPOCH=2000000000; kiln pull -q oci:bb:localhost/shell >/dev/null
            kiln build -q --no-cache --tls-verify=false --cache-to {place} c
            kiln images -a -q | wc -l
            export KILN_ROOT=$PWD/other; kiln pull -q oci:bb:localhost/shell >/dev/null
            kiln build --tls-verify=false --cache-from {place} c 2>told
            grep -c 'Using cache' told; grep -c said told; grep -c spoken$ told
            kiln images -a -q | wc -l; kiln check; rm -rf other"
        )
    };
    for place in ["$R/steps/cache", "oci:steps", "type=local,dest=more"] {
        let said = env.shell(&script(place)).expect_ok(place);
        let lines: Vec<&str> = said.lines().collect();
        let [first, before, second, cached, again, much, after] = lines.as_slice() else {
            panic!("{place}: {said}")
        };
        assert_eq!(first, second, "{place}");
        assert_eq!((*cached, *again, *much), ("3", "2", "142857"), "{place}: {said}");
        assert_eq!((*before, *after), ("3", "2"), "{place}: {said}");
        env.shell("kiln images -q --filter dangling=true | xargs -r kiln rmi >/dev/null").expect_ok("tidy");
    }
    // What is known here is kept there too.
    env.shell("kiln build -q --cache-to oci:known c").expect_ok("known steps");
    let told = "export KILN_ROOT=$PWD/fresh; kiln pull -q oci:bb:localhost/shell >/dev/null
        kiln build --cache-from oci:known c 2>&1 | grep -c 'Using cache'";
    assert_eq!(env.shell(told).expect_ok("another store"), "3");
    env.write("c/Loud", "FROM localhost/shell\nRUN head -c 3000000 /dev/urandom\n");
    let loud = env.shell("kiln build -f Loud --cache-to oci:steps c 2>&1 | grep -a warning");
    assert!(loud.stdout.contains("is kept nowhere else: it prints too much"), "{loud:?}");
    // One that is not there knows nothing, and the build goes on.
    env.ok(["build", "-q", "--cache-from", "oci:nowhere", "c"]);
    for (value, words) in [
        ("type=gha", "neither type=registry"),
        ("UPPER/case", "cannot keep steps in"),
        ("host/path:tag", "cannot keep steps in"),
    ] {
        let error = env.fails(125, ["build", "-q", "--cache-to", value, "c"]);
        assert!(error.contains(words), "{value}: {error}");
    }
}

#[test]
fn what_the_base_says_of_its_layers_stays() {
    let Some(env) = with_busybox("what_the_base_says_of_its_layers_stays") else { return };
    let comments = |image: &str| {
        let format = "{{range .OCIv1.History}}{{.Comment}}|{{end}}";
        env.ok(["inspect", "--type", "image", "--format", format, image])
    };
    env.write("c/Dockerfile", "FROM localhost/base\nLABEL only=a-label\n");
    env.ok(["build", "-q", "-t", "labelled", "c"]);
    assert_eq!(comments("labelled"), "||");
    env.write("c/Dockerfile", "FROM localhost/base\nRUN echo x >/x\n");
    env.ok(["build", "-q", "-t", "changed", "c"]);
    assert_eq!(comments("changed"), "|FROM localhost/base:latest|");
}

#[test]
fn stages_wait_for_what_they_take_and_the_same_is_done_once() {
    let test = "stages_wait_for_what_they_take_and_the_same_is_done_once";
    let Some(env) = with_busybox(test) else { return };
    // The last stage goes on to what the first waits for before it takes anything of the first.
    let file = "FROM localhost/base AS slow\n\
        RUN --mount=type=cache,target=/c for n in 1 2 3 4 5 6 7 8 9; do test -e /c/go && break; sleep 1; done\n\
        RUN --mount=type=cache,target=/c test -e /c/go && echo slow >/slow\n\
        FROM localhost/base AS quick\nRUN echo quick >/quick\n\
        FROM localhost/base AS unused\nRUN exit 3\n\
        FROM localhost/base\nCOPY --from=quick /quick /\n\
        RUN --mount=type=cache,target=/c touch /c/go\nCOPY --from=slow /slow /\nRUN cat /quick /slow >/both\n";
    env.write("c/Dockerfile", file);
    env.ok(["build", "-q", "-o", "out", "c"]);
    assert_eq!(std::fs::read_to_string(env.path("out/both")).expect("a file"), "quick\nslow\n");
    // What two stages both do is done once, also if they begin at once; and again for an argument before it.
    let same = "RUN --mount=type=cache,target=/c sleep 0.3; echo done >>/c/done; echo same >/same";
    let stages = format!(
        "FROM localhost/base AS a\n{same}\nFROM localhost/base AS b\n{same}\n\
         FROM localhost/base AS c\nARG X=1\n{same}\n\
         FROM localhost/base\nCOPY --from=a /same /a\nCOPY --from=b /same /b\nCOPY --from=c /same /d\n\
         RUN --mount=type=cache,target=/c cat /c/done >/done\n"
    );
    env.write("c/Dockerfile", stages);
    env.ok(["build", "-q", "-o", "out", "c"]);
    assert_eq!(std::fs::read_to_string(env.path("out/done")).expect("a file"), "done\ndone\n");
    // An argument that only a later command can see changes nothing before it.
    let args = "FROM localhost/base\nRUN echo x >/x\nARG V\nRUN echo $V >/v\n";
    env.write("c/Dockerfile", args);
    env.ok(["build", "-q", "--build-arg", "V=1", "c"]);
    let told = env.shell("kiln build --build-arg V=2 c 2>&1 >/dev/null").expect_ok("another value");
    assert!(told.contains("STEP 2/4: RUN echo x >/x\n--> Using cache\n"), "{told}");
    assert!(told.contains("STEP 4/4: RUN echo $V >/v\nCOMMIT"), "{told}");
}

#[test]
fn steps_have_images_for_who_is_used_to_them() {
    let Some(env) = with_busybox("steps_have_images_for_who_is_used_to_them") else { return };
    let file =
        "FROM localhost/base AS one\nRUN echo hi >/hi\nENV a=b\nFROM one\nRUN echo more >/more\nLABEL l=m\n";
    env.write("c/Dockerfile", file);
    let build = "buildah build --layers -t image c";
    let told = env.shell_as_buildah(build).expect_ok("a build");
    let ids: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("--> ")).collect();
    // One for each step, the last of which is the build's.
    assert!(ids.len() == 4 && ids.iter().all(|id| id.len() == 12), "{told}");
    assert!(
        told.ends_with(&env.ok(["images", "-q", "--no-trunc", "image"]).replace("sha256:", "")),
        "{told}"
    );
    let again = env.shell_as_buildah(build).expect_ok("a second build");
    let used = again.lines().filter_map(|line| line.strip_prefix("--> Using cache "));
    assert!(used.clone().all(|id| id.len() == 64), "{again}");
    assert_eq!(used.map(|id| &id[..12]).collect::<Vec<_>>(), ids, "{again}");
    // They are shown where they are asked for, and one can start from them.
    let shown = "buildah images -q | wc -l; buildah images -aq | wc -l; buildah images -q -f intermediate=true | wc -l
        buildah images -q -f dangling=true | wc -l; buildah rmi --prune | wc -l";
    assert_eq!(env.shell_as_buildah(shown).expect_ok("lists"), "2\n5\n3\n0\n0");
    let start = format!(
        "c=$(buildah from {}); buildah run $c cat /hi; buildah run $c ls /more || buildah rm $c",
        ids[1]
    );
    let started = env.shell_as_buildah(&start);
    assert!(started.stdout.starts_with("hi\n") && started.stderr.contains("/more"), "{started:?}");
    // What failed has images up to there.
    env.write("c/Bad", format!("{file}RUN exit 3\n"));
    let failed = env.shell_as_buildah("buildah build --layers -f Bad c");
    assert!(failed.code == 3 && failed.stdout.matches("--> Using cache ").count() == 4, "{failed:?}");
    // They go with what was made of them, but for what a container or another image stands on.
    env.shell_as_buildah(&format!("buildah tag {} other; buildah from --name c {}", ids[1], ids[2]))
        .expect_ok("users");
    let removed = env.shell_as_buildah("buildah rmi image").expect_ok("an end");
    assert_eq!(removed.lines().count(), 2, "{removed}");
    let removed = env.shell_as_buildah("buildah rm c >/dev/null; buildah rmi --prune; buildah rmi other");
    assert_eq!(removed.stdout.lines().count(), 4, "{removed:?}");
    assert_eq!(env.shell_as_buildah("buildah images -a -q | wc -l").expect_ok("the base"), "1");
    // Who calls it Kiln has none.
    env.ok(["build", "-q", "--layers", "-t", "image", "c"]);
    assert_eq!(env.ok(["images", "-a", "-q"]).lines().count(), 2);
    env.shell_as_buildah("buildah build -q --layers c; buildah rmi -a").expect_ok("all go");
    assert_eq!(env.ok(["images", "-a", "-q"]), "");
}

/// Gives a file two names, and edits it by one of them, not at all, and by a link in place of its directory.
const LINKED: &str = "FROM localhost/base\nRUN mkdir /d; echo one >/d/a; ln /d/a /c; touch -d @1000000000 /d\n\
                      RUN echo two >>/c; cat /d/a; stat -c %h /c\nRUN true\n\
                      RUN mkdir /e; ln /c /e/a; rm -r /d; ln -s e /d; stat -c %h /d/a\n\
                      RUN echo three >>/d/a; cat /c; stat -c %h /c\n";

#[test]
fn hard_links_stay_together_within_a_layer_and_break_between_layers() {
    let test = "hard_links_stay_together_within_a_layer_and_break_between_layers";
    let Some(env) = with_busybox(test) else { return };
    // One container is one layer, however many commands run in it, and also after a commit.
    let plain = "c=$(kiln from localhost/base); kiln run $c sh -c 'echo one >/a; ln /a /b'
        kiln commit -q $c first >/dev/null
        kiln run $c sh -c 'echo two >>/b'; kiln run $c cat /a; kiln run $c stat -c %h /a
        kiln commit -q --rm $c plain >/dev/null; m=$(kiln mount $(kiln from plain)); stat -c %h $m/a";
    assert_eq!(env.shell(plain).expect_ok("a plain container"), "one\ntwo\n2\n2");
    // A step is a layer: an edit copies the file up from below by one name, as in every builder's overlay.
    env.write("c/Dockerfile", LINKED);
    let told = |flags: &str| {
        let shown = "2>&1 >/dev/null | grep -v '^STEP\\|^COMMIT\\|^Succ\\|^-->'";
        env.shell(&format!("kiln build {flags} -t image c {shown}")).expect_ok("a build")
    };
    assert_eq!(told(""), "one\n1\n2\none\ntwo\n2");
    // Steps of one layer are as one container.
    let together = "one\ntwo\n2\n2\none\ntwo\nthree\n2";
    for flags in ["--layers=false", "--layers=false", "--squash --no-cache", "--layers=false --target 0"] {
        assert_eq!(told(flags), together, "{flags}");
        // And the image has what its commands saw.
        let shown = "m=$(kiln mount $(kiln from image)); cat $m/c; stat -c %h $m/c $m/e/a";
        assert_eq!(env.shell(shown).expect_ok("the image"), "one\ntwo\nthree\n2\n2", "{flags}");
    }
    // What a step does not touch is not in what it left: the file is in two of the parts only.
    let parts = "find $KILN_ROOT/layers -name c -size +0 -path '*/fs/c' | wc -l";
    let before: u32 = env.shell(parts).expect_ok("parts").parse().expect("a number");
    env.write("c/Dockerfile", format!("{LINKED}RUN echo other >/other\n"));
    told("--layers=false");
    assert_eq!(env.shell(parts).expect_ok("parts").parse(), Ok(before));
    assert_eq!(env.ok(["check"]), "");
}

#[test]
fn hard_links_stay_together_in_cached_containers() {
    let test = "hard_links_stay_together_in_cached_containers";
    let Some(env) = with_busybox(test) else { return };
    let script =
        "export KILN_CACHED=1; c=$(kiln from localhost/base); kiln run $c sh -c 'echo one >/a; ln /a /b'
        kiln run $c cat /b; m=$(kiln mount $c); echo two >>$m/a; cat $m/b; kiln umount $c >/dev/null
        kiln run $c sh -c 'echo three >>/b; cat /a'; kiln rm $c >/dev/null";
    for round in ["cold", "cached"] {
        let told = env.shell(script);
        assert_eq!(told.stdout, "one\none\ntwo\none\ntwo\nthree\n", "{round}: {told:?}");
    }
    // A command that is killed was given files to write to, and that is no change.
    let killed = "c=$(kiln from --cached localhost/base); kiln run $c sh -c 'echo one >/a; ln /a /b'
        kiln run $c sleep 9 & until test -e $KILN_ROOT/containers/*/upper/fs/a; do sleep 0.02; done
        kill -9 $!; wait; kiln run $c true; kiln diff $c | grep -c '/[ab]$'; kiln log $c | grep -c '4 B'";
    let told = env.shell(killed);
    assert!(told.stdout.ends_with("2\n1\n"), "{told:?}");
}
