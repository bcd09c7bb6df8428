//! Stories of transfers: what containers.conf says of them, images that other verbs bring along, what is told
//! meanwhile, and what is never told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::fake::{Fake, Reply};
use crate::support::registry::{Setup, with_registry};
use crate::support::{Need, needs, tell, with_base};

/// `user:horse` in base64.
const SECRET: &str = "dXNlcjpob3JzZQ==";

#[test]
fn the_machines_files_say_how_often_and_when() {
    let Some((mut env, _registry)) =
        with_registry("the_machines_files_say_how_often_and_when", Setup::default())
    else {
        return;
    };
    let count = Arc::new(AtomicUsize::new(0));
    let asked = count.clone();
    let busy = Fake::start(move |_| {
        asked.fetch_add(1, Ordering::Relaxed);
        Reply::new(503, "").header("Retry-After", "0")
    });
    let name = format!("docker://{}/x", busy.host);
    let mut tries = |conf: &str, flags: &[&str]| {
        let path = env.write("conf", conf).display().to_string();
        env.set("CONTAINERS_CONF", path);
        count.store(0, Ordering::Relaxed);
        let said = env.fails(125, ["pull", "--tls-verify=false", &name].iter().chain(flags));
        (count.load(Ordering::Relaxed), said)
    };
    let (asked, said) = tries("[engine]\nretry = 5\nretry_delay = \"1ms\"\n", &[]);
    assert_eq!(asked, 6, "{said}");
    assert!(said.contains("trying again in 1ms"), "{said}");
    assert_eq!(tries("[engine]\nretry = 5\nretry_delay = \"1ms\"\n", &["--retry", "1"]).0, 2);
    let (asked, said) = tries("[engine]\nretry = 1\nretry_delay = \"9m\"\n", &["--retry-delay", "2ms"]);
    assert!(asked == 2 && said.contains("trying again in 2ms"), "{asked} {said}");
    assert_eq!(tries("", &["--retry-delay", "1ms"]).0, 4);
    let (asked, said) = tries("[engine]\nretry_delay = \"soon\"\n", &[]);
    assert!(asked == 0 && said.contains("cannot use retry_delay=`soon`"), "{asked} {said}");
    tell(
        &env,
        r#"
$ : >conf; kiln push -q --tls-verify=false base docker://$R/base; kiln tag base $R/base
$ printf '[engine]\npull_policy = "always"\n' >conf; kiln image delete --tls-verify=false docker://$R/base:latest; kiln pull -q --tls-verify=false $R/base
! Error: cannot read the manifest of `<localhost>/base:latest`: the registry does not have it: manifest unknown
! hint: check the name and the tag: `kiln image tags NAME` lists what there is
[125]
$ kiln from --tls-verify=false $R/base
! Error: cannot read the manifest of `<localhost>/base:latest`: the registry does not have it: manifest unknown
! hint: check the name and the tag: `kiln image tags NAME` lists what there is
[125]
$ kiln pull -q --policy missing $R/base; kiln from --pull=never $R/base
<id-1>
base-working-container
$ printf '[engine]\npull_policy = "newer"\n' >conf; kiln from -q --tls-verify=false --retry 0 $R/base
base-working-container-1
! warning: the image in the store is used: cannot read the manifest of `<localhost>/base:latest`: the registry does not have it: manifest unknown
$ printf '[engine]\npull_policy = "sometimes"\n' >conf; kiln from $R/base
! Error: cannot use pull_policy=`sometimes`: write missing, always, never or newer
! hint: correct it in containers.conf, or name another file with CONTAINERS_CONF=FILE
[125]
"#,
    );
}

#[test]
fn files_are_copied_from_images_that_are_not_here() {
    let test = "files_are_copied_from_images_that_are_not_here";
    let Some((env, _registry)) = with_registry(test, Setup::default()) else { return };
    tell(
        &env,
        r#"
$ kiln push -q --tls-verify=false base docker://$R/base; c=$(kiln from scratch); kiln copy -q --tls-verify=false --from $R/base $c /etc/hello.conf /a; kiln images --format '{{.Name}}'
localhost/base
<localhost>/base
$ kiln rmi $R/base >/dev/null; kiln add -q --tls-verify=false --pull-never --from $R/base working-container /etc/hello.conf /b
! Error: cannot find a container or image `<localhost>/base`
! hint: see what there is with `kiln containers` and `kiln images`
[125]
$ kiln add -q --tls-verify=false --from docker://$R/base working-container /etc/hello.conf /b; cat $(kiln mount working-container)/b
hello
$ kiln image delete --tls-verify=false docker://$R/base:latest; kiln copy -q --tls-verify=false --pull-always --from $R/base working-container /etc/hello.conf /c
! Error: cannot find a container or image `<localhost>/base`: cannot read the manifest of `<localhost>/base:latest`: the registry does not have it: manifest unknown
! hint: check the name and the tag: `kiln image tags NAME` lists what there is
[125]
$ kiln copy -q --tls-verify=false --from $R/base working-container /etc/hello.conf /c; kiln copy -q --pull=always --from working-container working-container /c /d
$ kiln copy -q --from nosuch working-container /x /y
! Error: cannot find a container or image `nosuch`: cannot resolve the short name `nosuch`: there is no alias for it, and no registry to search in
! hint: write the whole name, HOST/nosuch, or set unqualified-search-registries in registries.conf
[125]
"#,
    );
}

#[test]
fn secrets_are_never_told() {
    let Some(env) = with_base("secrets_are_never_told") else { return };
    env.ok(["rmi", "-f", "base"]);
    // A registry that repeats whatever it is told, in every place where that could be shown.
    let parrot = Fake::start(|asked| {
        let heard = asked.header("authorization").unwrap_or_default().to_owned();
        if asked.path.starts_with("/token") {
            return Reply::new(200, r#"{"token":"horse-token"}"#);
        }
        if heard.is_empty() {
            let realm = format!("Bearer realm=\"http://{}/token\"", asked.header("host").unwrap_or_default());
            return Reply::new(401, "").header("WWW-Authenticate", realm);
        }
        match asked.path.contains("manifests") {
            true => Reply::new(503, "").header("Retry-After", "0").header("X-Heard", heard),
            false => Reply::new(404, ""),
        }
    });
    let image = format!("docker://{}/x", parrot.host);
    env.write("auth.json", format!(r#"{{"auths":{{"{}":{{"auth":"{SECRET}"}}}}}}"#, parrot.host));
    let commands: [&[&str]; 5] = [
        &["pull", "--creds", "user:horse"],
        &["--log-level", "trace", "pull", "--creds", "user:horse"],
        &["--progress", "json", "pull", "--creds", "user:horse"],
        &["--log-level", "debug", "pull", "--authfile", "auth.json"],
        &["image", "inspect", "--creds", "user:horse"],
    ];
    for command in commands {
        let mut words = command.to_vec();
        words.push("--tls-verify=false");
        if !command.contains(&"image") {
            words.extend(["--retry", "1", "--retry-delay", "1ms"]);
        }
        words.push(&image);
        let told = env.kiln(&words);
        assert_ne!(told.code, 0);
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(!said.contains("horse") && !said.contains(SECRET), "{words:?}: {said}");
    }
    let tokens = parrot
        .seen()
        .iter()
        .filter(|asked| asked.header("authorization") == Some("Bearer horse-token"))
        .count();
    assert!(tokens > 0, "the token was used");
}

#[test]
fn a_terminal_shows_lines_that_move() {
    let test = "a_terminal_shows_lines_that_move";
    if !needs(test, &[Need::Program("script")]) {
        return;
    }
    let Some(env) = with_base(test) else { return };
    let on_terminal = |command: &str| {
        let told = env.shell(&format!("script -qec '{command}' /dev/null </dev/null"));
        assert_eq!(told.code, 0, "{told:?}");
        told.stdout
    };
    let told = on_terminal("kiln push base oci:a:x");
    assert!(told.contains("\u{1b}[") && told.contains("Copying blob"), "{told:?}");
    let last = told.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("to oci:a:x: 2 pieces, ") && last.ends_with(" s"), "{last:?}");
    // Each blob is unpacked in the pass that fetches it: it has one line, and counts once.
    let told = on_terminal("kiln --root elsewhere pull oci:a:x");
    let moved = |line: &str| {
        line.split(" pieces, ").nth(1).and_then(|rest| rest.split(" in ").next().map(str::to_owned))
    };
    let summary = told.lines().find(|line| line.contains("Copied ")).unwrap_or_default();
    assert!(!told.contains("Unpacking") && summary.contains(": 2 pieces, "), "{told:?}");
    assert_eq!(moved(summary), moved(last), "{told:?}");
    // What is made while it is sent has a name, and so much to do.
    env.shell("kiln from -q --name c base; seq 9999 >$(kiln mount c)/new; kiln commit -q c made")
        .expect_ok("made");
    let told = on_terminal("kiln push made oci:a:made");
    let line = told.lines().find(|line| line.contains("Writing layer ")).unwrap_or_default();
    assert!(line.contains("  0 B of 5"), "{line:?}");
    assert_eq!(on_terminal("kiln push -q base oci:b:x"), "");
    assert!(!on_terminal("kiln --progress plain push base oci:c:x").contains('\u{1b}'));
    // What is no terminal gets plain lines, wherever the rest goes.
    let told = on_terminal("kiln push base oci:d:x 2>plain");
    assert_eq!(told, "");
    let plain = std::fs::read_to_string(env.path("plain")).expect("what was told");
    assert!(plain.lines().all(|line| line.starts_with("Copying ")) && plain.lines().count() == 2, "{plain}");
}

#[test]
fn an_archive_of_an_old_docker_is_read() {
    let Some(env) = with_base("an_archive_of_an_old_docker_is_read") else { return };
    tell(
        &env,
        r#"
$ A=aaaa B=bbbb; mkdir -p old/$A old/$B t1/etc t2; echo one >t1/etc/one; echo two >t2/two; tar -C t1 -cf old/$A/layer.tar etc; tar -C t2 -cf old/$B/layer.tar two
$ echo '{"id":"aaaa","created":"2015-01-01T00:00:00Z","os":"linux","architecture":"amd64","container_config":{"Cmd":["/bin/sh","-c","one"]}}' >old/aaaa/json
$ echo '{"id":"bbbb","parent":"aaaa","created":"2015-01-02T00:00:00Z","author":"me","os":"linux","architecture":"amd64","config":{"Env":["A=b"],"Cmd":["sh"]},"container_config":{"Cmd":["two"]}}' >old/bbbb/json
$ echo '{"old/image":{"1":"bbbb","first":"aaaa"}}' >old/repositories; tar -C old -cf old.tar aaaa bbbb repositories
$ kiln load -q -i old.tar
Loaded image: localhost/old/image:first
Loaded image: localhost/old/image:1
$ kiln image inspect --format '{{.Created}} {{.Env}} {{len .Layers}}' docker-archive:old.tar:old/image:1
<time> [A=b] 2
$ kiln history old/image:1 --format '{{.CreatedBy}}' 2>/dev/null || kiln image inspect --config docker-archive:old.tar@1 | grep created_by
two
/bin/sh -c one
$ cat $(kiln mount $(kiln from old/image:1))/etc/one
one
$ kiln image copy -q docker-archive:old.tar:old/image:1 oci:new:x; kiln pull -q oci:new:x; kiln images -q --no-trunc old/image:1
<id-1>
sha256:<id-1>
$ sed -i s/aaaa/bbbb/ old/bbbb/json; tar -C old -cf old.tar aaaa bbbb repositories; kiln load -q -i old.tar
! Error: cannot read the image `bbbb` of the archive: its layers have no end
[125]
$ echo '{"x":{"1":"../etc"}}' >old/repositories; tar -C old -cf old.tar aaaa bbbb repositories; kiln load -q -i old.tar
! Error: cannot read the image `../etc` of the archive: the name of a layer is no id
[125]
$ echo '{"x":{"1":"cccc"}}' >old/repositories; tar -C old -cf old.tar aaaa bbbb repositories; kiln load -q -i old.tar 2>&1 | head -1
Error: cannot read the layer `cccc`: the archive has no entry `cccc/json`
"#,
    );
}

#[test]
fn images_go_by_their_digests() {
    let Some((env, _registry)) = with_registry("images_go_by_their_digests", Setup::default()) else {
        return;
    };
    tell(
        &env,
        r#"
$ kiln push -q --tls-verify=false --digestfile digest base docker://$R/base; kiln pull -q --tls-verify=false $R/base@$(cat digest)
<id-1>
$ kiln images --digests --noheading --format '{{.Name}} {{.Tag}} {{.Digest}}' | sort
localhost/base latest sha256:<id-2>
<localhost>/base <none> sha256:<id-2>
$ kiln images --digests --filter digest=$(cat digest) -q | sort -u | wc -l
1
$ kiln rmi $R/base@$(cat digest)
untagged: <localhost>/base@sha256:<id-2>
$ kiln rmi base@$(cat digest)
untagged: localhost/base:latest
<id-1>
"#,
    );
}
