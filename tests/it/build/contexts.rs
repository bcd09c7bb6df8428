//! Stories of where contexts and Dockerfiles come from: addresses, repositories, several files, the preprocessor.

use super::with_busybox;
use crate::add::Daemon;
use crate::support::fake::{Fake, Reply};
use crate::support::{Env, Need, needs};

/// What is in `path` of the image `image`.
fn content(env: &Env, image: &str, path: &str) -> String {
    env.shell(&format!("m=$(kiln mount $(kiln from {image})); cat $m/{path}")).expect_ok(image)
}

#[test]
fn addresses_are_contexts() {
    let Some(env) = with_busybox("addresses_are_contexts") else { return };
    env.write("c/Dockerfile", "FROM localhost/base\nCOPY f /f\n");
    env.write("c/f", "of a tar\n");
    env.shell("tar -C c -czf c.tgz .; echo nothing >text").expect_ok("archives");
    let [tar, file] = ["c.tgz", "c/f"].map(|name| std::fs::read(env.path(name)).expect("a file"));
    let server = Fake::start(move |asked| match asked.path.as_str() {
        "/c.tgz" => Reply::new(200, tar.clone()),
        "/Dockerfile" => Reply::new(200, "FROM localhost/base\nRUN echo by address >/f\n"),
        "/copies" => Reply::new(200, "FROM scratch\nCOPY f /g\n"),
        "/f" => Reply::new(200, file.clone()),
        _ => Reply::new(404, "no"),
    });
    let at = |path: &str| format!("http://{}{path}", server.host);
    env.ok(["build", "-q", "-t", "a", &at("/c.tgz")]);
    env.ok(["build", "-q", "-t", "b", &at("/Dockerfile")]);
    env.ok(["build", "-q", "-t", "c", "-f", &at("/copies"), "c"]);
    let context = format!("src={}", at("/c.tgz"));
    env.write("named", "FROM scratch\nCOPY --from=src f /h\n");
    env.ok(["build", "-q", "-t", "d", "-f", "named", "--build-context", &context, "c"]);
    for (image, path, text) in
        [("a", "f", "of a tar"), ("b", "f", "by address"), ("c", "g", "of a tar"), ("d", "h", "of a tar")]
    {
        assert_eq!(content(&env, image, path), text, "{image}");
    }
    let error = env.fails(125, ["build", "--retry", "0", &at("/missing")]);
    assert!(error.contains("the server answers 404"), "{error}");
    let error = env.fails(125, ["build", "--build-context", &format!("x={}", at("/f")), "c"]);
    assert!(error.contains("it is no archive"), "{error}");
}

#[test]
fn repositories_are_contexts() {
    if !needs("repositories_are_contexts", &[Need::Program("git")]) {
        return;
    }
    let Some(env) = with_busybox("repositories_are_contexts") else { return };
    env.shell(
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
        git init -q -b main repo.git; cd repo.git; mkdir -p sub/deeper; echo one >sub/f; ln -s sub link; ln -s / root
        printf 'FROM localhost/base\\nCOPY f /f\\n' >sub/Dockerfile
        git add .; git commit -qm one; git tag v1; echo two >sub/f; git commit -qam two",
    )
    .expect_ok("a repository");
    let daemon = Daemon::start(&env.path(""));
    let at = |rest: &str| format!("{}/repo.git{rest}", daemon.address);
    env.ok(["build", "-q", "-t", "newest", &at("#main:sub")]);
    env.ok(["build", "-q", "-t", "tagged", &at("#v1:sub")]);
    env.ok(["build", "-q", "-t", "default", &at("#:sub")]);
    assert_eq!(content(&env, "newest", "f"), "two");
    assert_eq!(content(&env, "tagged", "f"), "one");
    assert_eq!(content(&env, "default", "f"), "two");
    for (rest, words) in [
        ("#main:link", "is no directory of the repository"),
        ("#main:root/etc", "is no directory of the repository"),
        ("#main:sub/../..", "leads out"),
        ("#main:sub/deeper", "cannot find"),
        ("#--upload-pack=touch${IFS}/tmp/x:sub", "cannot"),
        ("#-x", "cannot"),
    ] {
        let error = env.fails(125, ["build", "--retry", "0", &at(rest)]);
        assert!(error.contains(words), "{rest}: {error}");
    }
    // By a query; a commit is what is meant, or beside a branch what that must be. `.git` stays where it is asked for.
    let ids = env.shell("cd repo.git; git rev-parse v1 main").expect_ok("ids");
    let (one, two) = ids.split_once('\n').expect("two ids");
    env.shell("git -C repo.git config uploadpack.allowAnySHA1InWant true").expect_ok("a setting");
    let query = |text: &str| at(&format!("?subdir=sub&{text}"));
    env.ok(["build", "-q", "-t", "commit", &query(&format!("commit={one}"))]);
    env.ok(["build", "-q", "-t", "checked", &query(&format!("branch=main&checksum={}", &two[..12]))]);
    assert_eq!((content(&env, "commit", "f"), content(&env, "checked", "f")), ("one".into(), "two".into()));
    env.write("kept", "FROM localhost/base\nCOPY --from=src .git/HEAD /head\n");
    let named = format!("src={}", at("#v1"));
    let keep = ["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1"];
    env.ok(
        [&["build", "-q", "-t", "kept", "-f", "kept", "--build-context", &named][..], &keep, &["."]].concat()
    );
    assert_eq!(content(&env, "kept", "head"), one);
    for (text, words) in [
        (format!("tag=v1&commit={two}"), "and not"),
        ("commit=main".to_owned(), "`main` is no commit"),
        (format!("commit={one}&checksum={one}"), "it names two commits"),
        ("branch=main&tag=v1".to_owned(), "it names two references"),
    ] {
        let error = env.fails(125, ["build", "--retry", "0", &query(&text)]);
        assert!(error.contains(words), "{text}: {error}");
    }
    // By SSH, with the user's own words for it: here they run what would be run there.
    env.write("over-ssh", "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n");
    let place = env.path("repo.git").display().to_string();
    for address in
        [format!("git@host.example:{place}#v1:sub"), format!("ssh://git@host.example{place}#v1:sub")]
    {
        let build = format!(
            "GIT_SSH_COMMAND='sh {}' kiln build -q -t ssh '{address}'",
            env.path("over-ssh").display()
        );
        env.shell(&build).expect_ok(&address);
        assert_eq!(content(&env, "ssh", "f"), "one");
    }
    let error = env.fails(125, ["build", "--retry", "0", "git://--upload-pack=x/repo.git"]);
    assert!(error.contains("cannot"), "{error}");
}

#[test]
fn submodules_are_of_the_context_unless_they_are_not_wanted() {
    let test = "submodules_are_of_the_context_unless_they_are_not_wanted";
    if !needs(test, &[Need::Root, Need::Program("git")]) {
        return;
    }
    let env = Env::new();
    let daemon = Daemon::start(&env.path(""));
    env.shell(&format!(
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
        add() {{ git -c protocol.git.allow=always submodule -q add {}/$1.git \"$2\"; git add .; git commit -qm $1; }}
        for name in inner middle outer; do git init -q -b main $name.git; done
        (cd inner.git; echo inner >file; git add .; git commit -qm x)
        (cd middle.git; echo middle >file; add inner 'a b')
        (cd outer.git; printf 'FROM scratch\\nCOPY . /\\n' >Dockerfile; add middle sub)",
        daemon.address
    ))
    .expect_ok("repositories");
    for (rest, files) in [
        ("", ".gitmodules Dockerfile sub/.gitmodules sub/a b/file sub/file"),
        ("?submodules=false", ".gitmodules Dockerfile"),
    ] {
        let address = format!("{}/outer.git{rest}", daemon.address);
        env.ok(["build", "-q", "-t", "image", "--retry", "0", &address]);
        let list =
            "cd $(kiln mount $(kiln from image)); find . -type f -printf '%P\\n' | sort | paste -sd ' '";
        assert_eq!(env.shell(list).expect_ok(rest), files, "{rest}");
    }
}

#[test]
fn several_files_and_the_preprocessor() {
    if !needs("several_files_and_the_preprocessor", &[Need::Program("cpp")]) {
        return;
    }
    let Some(env) = with_busybox("several_files_and_the_preprocessor") else { return };
    env.write("c/one", "FROM localhost/base\nRUN echo 1 >/one");
    env.write("c/two", "RUN echo 2 >/two\n");
    env.ok(["build", "-q", "-t", "both", "-f", "c/one", "-f", "two", "c"]);
    assert_eq!(content(&env, "both", "one"), "1");
    assert_eq!(content(&env, "both", "two"), "2");
    env.write("c/Containerfile.in", "#include \"common\"\n#ifdef EXTRA\nRUN echo EXTRA >/extra\n#endif\n");
    env.write("c/common", "FROM localhost/base\nRUN echo common >/common\n");
    env.ok(["build", "-q", "-t", "plain", "-f", "c/Containerfile.in", "c"]);
    assert_eq!(content(&env, "plain", "common"), "common");
    env.ok(["build", "-q", "-t", "extra", "-f", "c/Containerfile.in", "--cpp-flag=-DEXTRA=word", "c"]);
    assert_eq!(content(&env, "extra", "extra"), "word");
    env.shell("BUILDAH_CPPFLAGS='-DA -DEXTRA=other' kiln build -q -t by-env -f c/Containerfile.in c")
        .expect_ok("flags of the environment");
    assert_eq!(content(&env, "by-env", "extra"), "other");
    env.write("c/Broken.in", "#include \"nowhere\"\nFROM scratch\n");
    let error = env.fails(125, ["build", "-f", "c/Broken.in", "c"]);
    assert!(error.contains("cannot preprocess `c/Broken.in`") && error.contains("nowhere"), "{error}");
}

#[test]
fn policies_decide_which_images_are_used() {
    let Some(env) = with_busybox("policies_decide_which_images_are_used") else { return };
    env.write("c/Dockerfile", "FROM registry.example/old:1\nRUN true\n");
    env.write("c/copies", "FROM scratch\nCOPY --from=localhost/base /etc/passwd /\n");
    let rule = |action: &str, what: &str, more: &str| {
        format!(r#"{{"rules": [{{"action": "{action}", "selector": {{"identifier": "{what}"}}{more}}}]}}"#)
    };
    let to = r#", "updates": {"identifier": "docker-image://localhost/base"}"#;
    env.write("convert", rule("CONVERT", "docker-image://registry.example/*", to));
    env.write("deny", rule("DENY", "docker-image://localhost/base:*", ""));
    env.write("broken", "{\"rules\": 1}");
    env.ok(["build", "-q", "--source-policy-file", "convert", "c"]);
    let error = env.fails(125, ["build", "-q", "--source-policy-file", "deny", "-f", "copies", "c"]);
    assert!(error.contains("the source policy denies"), "{error}");
    let error = env.fails(125, ["build", "-q", "--source-policy-file", "broken", "c"]);
    assert!(error.contains("cannot use the source policy `broken`"), "{error}");
    let error = env.fails(125, ["build", "-q", "--source-policy-file", "nowhere", "c"]);
    assert!(error.contains("cannot read `nowhere`"), "{error}");
}

#[test]
fn mounts_and_privileges_for_every_command() {
    let Some(env) = with_busybox("mounts_and_privileges_for_every_command") else { return };
    env.write("c/f", "of context\n");
    env.write("secret", "word");
    env.write("c/Dockerfile", "FROM localhost/base\nRUN cat /run/secrets/s /in/f >/out\n");
    env.ok([
        "build",
        "-q",
        "-t",
        "image",
        "--secret",
        "id=s,src=secret",
        "--mount",
        "type=secret,id=s",
        "--mount",
        "type=bind,target=/in",
        "c",
    ]);
    assert_eq!(content(&env, "image", "out"), "wordof context");
    env.write(
        "c/insecure",
        "FROM localhost/base\nRUN --security=insecure grep CapEff /proc/self/status >/caps\n",
    );
    let error = env.fails(125, ["build", "-f", "insecure", "c"]);
    assert!(error.contains("a file is not to give itself all privileges"), "{error}");
    env.ok(["build", "-q", "-t", "insecure", "--allow", "security.insecure", "-f", "insecure", "c"]);
    assert_ne!(content(&env, "insecure", "caps"), "CapEff:\t00000000800405fb");
    env.write("c/device", "FROM localhost/base\nRUN --device=/dev/nowhere true\n");
    env.ok(["build", "-q", "-f", "device", "c"]);
    env.write("c/device", "FROM localhost/base\nRUN --device=/dev/nowhere,required true\n");
    let error = env.fails(125, ["build", "-q", "-f", "device", "c"]);
    assert!(error.contains("/dev/nowhere"), "{error}");
    let error = env.fails(125, ["build", "--sbom", "x", "c"]);
    assert!(error.contains("cannot use `--sbom`"), "{error}");
    let error = env.fails(125, ["build", "--decryption-key", "x", "c"]);
    assert!(error.contains("decryption-key"), "{error}");
}

#[test]
fn images_that_files_are_taken_of_are_pulled() {
    use crate::support::registry::{Setup, with_registry};
    let Some((env, _registry)) = with_registry("images_that_files_are_taken_of_are_pulled", Setup::default())
    else {
        return;
    };
    env.shell(
        "set -e; kiln push -q --tls-verify=false localhost/base docker://$R/files:1
        mkdir c; printf \"FROM scratch\\nCOPY --from=$R/files:1 / /all/\\n\" >c/Dockerfile
        kiln build -q --tls-verify=false -t image c; ls $(kiln mount $(kiln from image))/all",
    )
    .expect_ok("a copy of an image that is not here");
}

#[test]
fn one_command_takes_files_of_several_contexts() {
    let Some(env) = with_busybox("one_command_takes_files_of_several_contexts") else { return };
    for (dir, text) in [("c", "main"), ("one", "first"), ("two, and more", "second"), ("c/inner", "inner")] {
        env.write(format!("{dir}/f"), format!("{text}\n"));
    }
    let file = "FROM localhost/base\nRUN --mount=target=/c --mount=from=one,source=/f,target=/one \\\n\
                --mount=from=two,target=/two,rw cat /c/f /one /two/f >/all; echo x >/two/f\n\
                RUN --mount=from=two,target=/two cat /two/f >>/all\n";
    env.write("c/Dockerfile", file);
    let named = "--build-context one=one --build-context 'two=two, and more'";
    let build = format!("export SOURCE_DATE_EPOCH=0; kiln build -q -t image {named} c");
    let built = env.shell(&build).expect_ok("a build");
    assert_eq!(content(&env, "image", "all"), "main\nfirst\nsecond\nsecond");
    // A file of one that changes is a step of another; and a script does the same.
    env.write("one/f", "changed\n");
    let changed = env.shell(&build).expect_ok("another build");
    assert_eq!(content(&env, "image", "all"), "main\nchanged\nsecond\nsecond");
    assert_ne!(built, changed);
    let script = format!(
        "kiln script {named} c >script; SOURCE_DATE_EPOCH=0 sh script c made 2>/dev/null | tail -n 1"
    );
    assert_eq!(env.shell(&script).expect_ok("a script"), changed);
    // Neither leads out of its directory, and a file does not name directories itself.
    env.shell("ln -s ../c/f one/leads-out").expect_ok("a link");
    for (mount, words) in [
        ("from=one,source=leads-out,target=/m", "cannot find in the context directory"),
        ("from=one,source=../c/f,target=/m", "leads out of the tree"),
        ("contextdir=/etc,target=/m", "a mount has no option `contextdir`"),
    ] {
        env.write("c/Wrong", format!("FROM localhost/base\nRUN --mount={mount} cat /m\n"));
        let outcome = env.shell(&format!("kiln build {named} -f Wrong c"));
        assert!(outcome.code == 125 && outcome.stderr.contains(words), "{mount}: {outcome:?}");
    }
}

#[test]
fn arguments_about_the_build_have_their_effect() {
    let Some(env) = with_busybox("arguments_about_the_build_have_their_effect") else { return };
    let file = "FROM localhost/base\nARG SOURCE_DATE_EPOCH\nRUN --mount=type=cache,target=/c cat /c/f >/seen; \\\n\
                hostname >/name; echo x >>/c/f\nRUN echo $SOURCE_DATE_EPOCH >/epoch\n";
    env.write("c/Dockerfile", file.replace("cat /c/f", "cat /c/f 2>/dev/null"));
    let build = |image: &str, arguments: &[&str]| {
        let flags: Vec<&str> = arguments.iter().flat_map(|text| ["--build-arg", text]).collect();
        let outcome = env.kiln([&["build", "--no-cache", "-t", image][..], &flags, &["c"]].concat());
        assert!(outcome.code == 0 && !outcome.stderr.contains("not consumed"), "{outcome:?}");
    };
    build("plain", &[]);
    build("again", &["BUILDKIT_SANDBOX_HOSTNAME=builder"]);
    build("apart", &["BUILDKIT_CACHE_MOUNT_NS=apart"]);
    // One that has no effect is told, as any that nothing takes.
    let told = env.kiln(["build", "--build-arg", "BUILDKIT_INLINE_CACHE=1", "c"]).stderr;
    assert!(told.contains("not consumed: [BUILDKIT_INLINE_CACHE]"), "{told}");
    build("dated", &["SOURCE_DATE_EPOCH=1000000000"]);
    assert_eq!((content(&env, "plain", "seen"), content(&env, "again", "seen")), (String::new(), "x".into()));
    assert_eq!(content(&env, "again", "name"), "builder");
    assert_eq!(content(&env, "apart", "seen"), "");
    assert_eq!(content(&env, "dated", "epoch"), "1000000000");
    let created =
        |image: &str| env.ok(["inspect", "--type", "image", "--format", "{{.OCIv1.Created}}", image]);
    assert!(created("dated").contains("2001-09-09"), "{}", created("dated"));
    // A flag says more.
    env.ok([
        "build",
        "-q",
        "-t",
        "flag",
        "--timestamp",
        "0",
        "--build-arg",
        "SOURCE_DATE_EPOCH=1000000000",
        "c",
    ]);
    assert!(created("flag").contains("1970-01-01"), "{}", created("flag"));
    let script =
        "kiln script --build-arg BUILDKIT_SANDBOX_HOSTNAME=builder --build-arg BUILDKIT_CACHE_MOUNT_NS=n c";
    let script = env.shell(script).expect_ok("a script");
    assert!(script.contains("--hostname builder") && script.contains("id=n//c"), "{script}");
    for (argument, words) in [
        ("SOURCE_DATE_EPOCH=soon", "it is no number"),
        ("BUILDKIT_CONTEXT_KEEP_GIT_DIR=2", "write true or false"),
    ] {
        let error = env.fails(125, ["build", "--build-arg", argument, "c"]);
        assert!(error.contains(words), "{argument}: {error}");
    }
}
