//! Registries that lead nowhere, or to others, and helpers that are of no use: each time one error that says so, with a
//! hint, and no credentials in it.

use crate::support::fake::{Asked, Fake, Reply};
use crate::support::with_base;

#[test]
fn addresses_that_lead_nowhere_are_told() {
    let Some(env) = with_base("addresses_that_lead_nowhere_are_told") else { return };
    let wants_token = |realm: &'static str| {
        Fake::start(move |asked| match asked.path.starts_with("/token") {
            true => Reply::new(200, "{}"),
            false => Reply::new(401, "").header("WWW-Authenticate", format!("Bearer realm=\"{realm}\"")),
        })
    };
    let redirects = |to: &'static str| Fake::start(move |_| Reply::new(302, "").header("Location", to));
    for (fake, words) in [
        (
            wants_token("file:///etc/passwd"),
            "cannot use `file:///etc/passwd`: an address begins with http://",
        ),
        (wants_token("/token"), "cannot use `/token`: an address begins with http://"),
        (wants_token("http://localhost:1/token"), "cannot talk to `localhost:1`"),
        (redirects("file:///etc/passwd"), "cannot use `file:///etc/passwd`: an address begins with http://"),
        (redirects("/again"), "redirects more than"),
        (Fake::start(|_| Reply::new(302, "")), "answers with status 302"),
        (Fake::start(|_| Reply::new(418, "")), "answers with status 418"),
    ] {
        let image = format!("docker://{}/x", fake.host);
        let said = env.fails(125, ["pull", "--tls-verify=false", "--retry", "0", &image]);
        assert!(said.contains(words) && said.contains("hint: "), "{words}: {said}");
    }
}

/// Manifest and tags are asked for side by side, and both find out that nobody is there.
#[test]
fn the_cause_is_told_whoever_finds_it_out() {
    let Some(env) = with_base("the_cause_is_told_whoever_finds_it_out") else { return };
    for _ in 0..20 {
        let said = env.fails(125, ["image", "inspect", "docker://localhost:1/x"]);
        assert!(said.contains("cannot talk to `localhost:1`: Connection refused"), "{said}");
        assert!(said.contains("hint: see whether a registry runs at `localhost:1`"), "{said}");
    }
    let script = "https_proxy=http://user:horse@localhost:1 kiln image inspect docker://r.example/x";
    let said = env.shell(script).stderr;
    assert!(said.contains("through the proxy `localhost:1`") && !said.contains("horse"), "{said}");
}

#[test]
fn tags_that_lead_astray_are_told() {
    let Some(env) = with_base("tags_that_lead_astray_are_told") else { return };
    for link in ["file:///x", "http://127.0.0.2:1/v2/x/tags/list"] {
        let fake = Fake::start(move |_| {
            Reply::new(200, r#"{"tags":["a"]}"#).header("Link", format!("<{link}>; rel=\"next\""))
        });
        let said =
            env.fails(125, ["image", "tags", "--tls-verify=false", &format!("docker://{}/x", fake.host)]);
        assert!(said.contains("cannot list the tags") && said.contains("hint: "), "{link}: {said}");
    }
}

#[test]
fn uploads_that_lead_astray_are_told_and_a_stranger_gets_no_login() {
    let test = "uploads_that_lead_astray_are_told_and_a_stranger_gets_no_login";
    let Some(env) = with_base(test) else { return };
    // Large enough not to be sent in one piece.
    env.shell(
        "head -c 2000000 /dev/urandom >noise; c=$(kiln from scratch)
         kiln copy -q $c noise /; kiln commit -q $c noisy",
    )
    .expect_ok("an image");
    let stranger = Fake::start(|_| Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""));
    let there = format!("http://{}/up", stranger.host);
    for (to, words) in [
        ("file:///etc/x".to_owned(), "cannot use `file:///etc/x`: an address begins with http://"),
        (there, "it wants a login there, and credentials go to nobody but the registry"),
    ] {
        let registry =
            Fake::start(move |asked| match (asked.method.as_str(), asked.header("authorization")) {
                (_, None) => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
                ("POST", _) => Reply::new(202, "").header("Location", to.clone()),
                _ => Reply::new(404, ""),
            });
        let target = format!("docker://{}/x", registry.host);
        let push = "push --tls-verify=false --retry 0 --creds user:horse noisy";
        let said = env.fails(125, push.split(' ').chain([target.as_str()]));
        assert!(said.contains(words) && said.contains("hint: "), "{words}: {said}");
        assert!(!said.contains("kiln login") && !said.contains("horse"), "{said}");
    }
    assert!(!stranger.seen().is_empty(), "nobody was led there");
    assert!(stranger.seen().iter().all(|asked| asked.header("authorization").is_none()), "they followed");
}

#[test]
fn helpers_of_no_use_are_told() {
    let Some(env) = with_base("helpers_of_no_use_are_told") else { return };
    let fake = Fake::start(|_| Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""));
    for (name, script, words) in [
        ("flood", "yes horse", "its answer is larger than 1048576 bytes"),
        ("silent", "exit 3", "it failed (exit status: 3)"),
        ("words", "echo hello", "its answer is no JSON"),
        ("asks", "echo wrong passphrase; exit 1", "wrong passphrase"),
        ("tells", r#"echo '{"Secret":"horse"}'; exit 1"#, "it failed (exit status: 1)"),
        ("../../x", "exit 0", "the name of a helper has no slash"),
    ] {
        let file = format!("docker-credential-{}", name.replace('/', "_"));
        env.write(format!("bin/{file}"), format!("#!/bin/sh\n{script}\n"));
        env.write("auth.json", format!(r#"{{"credHelpers":{{"{}":"{name}"}}}}"#, fake.host));
        let pull = format!(
            "chmod +x bin/{file}; PATH=$PWD/bin:$PATH kiln pull --tls-verify=false --retry 0 --authfile auth.json \
             docker://{}/x",
            fake.host
        );
        let outcome = env.shell(&pull);
        let said = outcome.stderr.clone();
        outcome.expect_code(125);
        assert!(said.contains(words) && said.contains("hint: ") && !said.contains("horse"), "{name}: {said}");
    }
}

#[test]
fn a_manifest_that_is_refused_for_another_reason_keeps_its_form() {
    let Some(env) = with_base("a_manifest_that_is_refused_for_another_reason_keeps_its_form") else { return };
    let fake = Fake::start(|asked| match asked.method.as_str() {
        "PUT" if asked.path.contains("/manifests/") => {
            Reply::new(400, r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"no such blob"}]}"#)
        }
        "PUT" => Reply::new(201, ""),
        "POST" | "PATCH" => Reply::new(202, "").header("Location", "/up"),
        _ => Reply::new(404, ""),
    });
    let said =
        env.fails(125, ["push", "-q", "--tls-verify=false", "base", &format!("docker://{}/x", fake.host)]);
    assert!(said.contains("status 400") && said.contains("no such blob"), "{said}");
    let manifests = |asked: &&Asked| asked.method == "PUT" && asked.path.contains("/manifests/");
    assert_eq!(fake.seen().iter().filter(manifests).count(), 1);
}

#[test]
fn a_registry_that_knows_no_oci_gets_dockers_form() {
    let Some(env) = with_base("a_registry_that_knows_no_oci_gets_dockers_form") else { return };
    for status in [400, 415] {
        let old = Fake::start(move |asked| match (asked.method.as_str(), asked.header("content-type")) {
            ("PUT", Some(form)) if form.contains("manifest") && form.contains("oci") => {
                Reply::new(status, r#"{"errors":[{"code":"MANIFEST_INVALID"}]}"#)
            }
            ("PUT", _) => Reply::new(201, ""),
            ("POST", _) => Reply::new(202, "").header("Location", "/up"),
            ("PATCH", _) => Reply::new(202, "").header("Location", "/up"),
            _ => Reply::new(404, ""),
        });
        let target = format!("docker://{}/x", old.host);
        let push = ["push", "-q", "--tls-verify=false"];
        env.ok(push.into_iter().chain(["base", &target]));
        let sent =
            old.seen().into_iter().rfind(|asked| asked.path.contains("/manifests/")).expect("a manifest");
        let text = String::from_utf8_lossy(&sent.body).into_owned();
        assert!(text.contains("docker.distribution.manifest.v2") && !text.contains("oci"), "{text}");
        for form in [["--format", "oci"], ["--compression-format", "zstd"]] {
            let said = env.fails(125, push.into_iter().chain(form).chain(["base", &target]));
            assert!(
                said.contains("does not take it") && said.contains("hint: it may take Docker's"),
                "{said}"
            );
        }
    }
}
