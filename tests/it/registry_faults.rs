//! Registries that cut, lie, lead astray or refuse: one clear error, nothing half-stored, and no credentials for
//! others.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::fake::{Asked, Cutter, Fake, Limit, Reply};
use crate::support::registry::{Setup, with_registry};
use crate::support::{Env, with_base};

/// What is said where nothing else is: `USER:PASSWORD` in base64.
const SECRET: &str = "dXNlcjpob3JzZQ==";

/// The image `localhost/base` as a registry has it, out of the story's layout.
#[derive(Clone)]
struct Image {
    dir: PathBuf,
    manifest: Vec<u8>,
}

impl Image {
    fn of(env: &Env) -> Self {
        let dir = env.path("layout");
        let index: Value =
            serde_json::from_slice(&std::fs::read(dir.join("index.json")).expect("the index")).expect("JSON");
        let digest = index["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
        let manifest = blob(&dir, &digest).expect("the manifest");
        Image { dir, manifest }
    }

    fn layer(&self) -> String {
        let manifest: Value = serde_json::from_slice(&self.manifest).expect("JSON");
        manifest["layers"][0]["digest"].as_str().expect("a digest").to_owned()
    }

    /// What an honest registry answers.
    fn answer(&self, asked: &Asked) -> Reply {
        let path = asked.path.split('?').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        if asked.path.contains("/manifests/") {
            return Reply::new(200, self.manifest.clone())
                .header("Content-Type", "application/vnd.oci.image.manifest.v1+json");
        }
        match blob(&self.dir, last) {
            Some(bytes) => Reply::new(200, bytes),
            None => Reply::new(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"none"}]}"#),
        }
    }
}

fn blob(layout: &Path, digest: &str) -> Option<Vec<u8>> {
    std::fs::read(layout.join("blobs/sha256").join(digest.strip_prefix("sha256:")?)).ok()
}

fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A story, its image, and an empty store.
fn story(test: &str) -> Option<(Env, Image)> {
    let env = with_base(test)?;
    env.ok(["rmi", "-f", "base"]);
    let image = Image::of(&env);
    Some((env, image))
}

/// Pulls, which must fail; gives what is said. Nothing of the image may be in the store.
fn refused(env: &Env, host: &str) -> String {
    let name = format!("docker://{host}/x");
    let flags =
        ["pull", "--tls-verify=false", "--retry", "2", "--retry-delay", "1ms", "--creds", "user:horse"];
    let said = env.fails(125, flags.into_iter().chain([name.as_str()]));
    assert!(!said.contains("horse") && !said.contains(SECRET), "a secret is told: {said}");
    assert!(said.contains("\nhint: "), "no hint: {said}");
    assert_eq!(env.ok(["images", "-q"]), "", "an image is left behind: {said}");
    said
}

fn pull(env: &Env, host: &str) {
    let name = format!("docker://{host}/x");
    env.ok(["pull", "-q", "--tls-verify=false", "--retry", "2", "--retry-delay", "1ms", &name]);
    env.ok(["rmi", "-f", "-a"]);
}

#[test]
fn what_passes_is_waited_for_and_said_if_it_does_not() {
    let Some((env, image)) = story("what_passes_is_waited_for_and_said_if_it_does_not") else { return };
    for status in [429, 500, 503] {
        // Every thing asked for is refused once.
        let (honest, count) = (image.clone(), Arc::new(AtomicUsize::new(0)));
        let fake = Fake::start(move |asked| match count.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => Reply::new(status, "busy").header("Retry-After", "0"),
            _ => honest.answer(asked),
        });
        pull(&env, &fake.host);
        let fake = Fake::start(move |_| Reply::new(status, r#"{"errors":[{"message":"slow down"}]}"#));
        let said = refused(&env, &fake.host);
        assert!(said.contains(if status == 429 { "Too Many Requests" } else { "in trouble" }), "{said}");
        assert!(said.contains("slow down") && fake.seen().len() == 3, "{said}");
    }
}

#[test]
fn lies_are_found_out() {
    let Some((env, image)) = story("lies_are_found_out") else { return };
    let layer = image.layer();
    let manifest_is = |text: String| {
        let honest = image.clone();
        Fake::start(move |asked| match asked.path.contains("/manifests/") {
            true => Reply::new(200, text.clone()),
            false => honest.answer(asked),
        })
    };
    let honest = String::from_utf8(image.manifest.clone()).expect("text");
    let with = |key: &str| honest.replacen('{', &format!("{{{key},"), 1);
    for (text, word) in [
        (with(r#""manifests":[]"#), "two ways"),
        (honest.replacen(&layer, "sha256:../../../../etc/passwd", 1), "cannot use the digest"),
        (honest.replacen(&layer, &layer.to_uppercase().replace("SHA", "sha"), 1), "cannot use the digest"),
        (honest.replacen(&layer, &layer[..70], 1), "cannot use the digest"),
        ("[1".to_owned(), "manifest"),
        ("<html>".to_owned(), "manifest"),
        (r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), "schema 1"),
    ] {
        let fake = manifest_is(text);
        let said = refused(&env, &fake.host);
        assert!(said.contains(word), "{word}: {said}");
    }
    let blob_is = |reply: fn(Vec<u8>) -> Reply| {
        let (honest, layer) = (image.clone(), layer.clone());
        Fake::start(move |asked| match asked.path.ends_with(&layer) {
            true => reply(blob(&honest.dir, &layer).expect("the layer")),
            false => honest.answer(asked),
        })
    };
    for (what, reply) in [
        (
            "a changed byte",
            (|mut bytes| {
                bytes[40] ^= 1;
                Reply::new(200, bytes)
            }) as fn(Vec<u8>) -> Reply,
        ),
        ("another blob", |bytes| Reply::new(200, vec![b'x'; bytes.len()])),
        ("too short", |bytes| Reply::new(200, bytes[..20].to_vec())),
        ("too long", |mut bytes| {
            bytes.extend(b"more");
            Reply::new(200, bytes)
        }),
        ("a long length", |bytes| {
            let length = bytes.len() as u64 + 5;
            Reply::new(200, bytes).lying_length(length)
        }),
        ("an endless length", |bytes| Reply::new(200, bytes).lying_length(u64::MAX / 2)),
        ("nothing", |_| Reply::new(200, "")),
        ("another part", |bytes| Reply::new(206, bytes).header("Content-Range", "bytes 5-9/10")),
    ] {
        let fake = blob_is(reply);
        let said = refused(&env, &fake.host);
        assert!(said.contains("blob") || said.contains("layer"), "{what}: {said}");
    }
    let promised = image.clone();
    let fake =
        Fake::start(move |asked| promised.answer(asked).header("Docker-Content-Digest", digest_of(b"x")));
    assert!(refused(&env, &fake.host).contains("in place of"));
}

#[test]
fn what_has_no_end_is_not_read_to_it() {
    const GIB: u64 = 1 << 30;
    let Some((env, image)) = story("what_has_no_end_is_not_read_to_it") else { return };
    let honest = image.clone();
    let manifest = Fake::start(move |asked| match asked.path.contains("/manifests/") {
        true => Reply::new(200, "{").and_zeroes(GIB),
        false => honest.answer(asked),
    });
    let error = Fake::start(|_| Reply::new(400, "{").and_zeroes(GIB));
    let token = Fake::start(|asked| match asked.path.starts_with("/token") {
        true => Reply::new(200, "{").and_zeroes(GIB),
        false => Reply::new(401, "").header(
            "WWW-Authenticate",
            format!("Bearer realm=\"http://{}/token\"", asked.header("host").unwrap_or_default()),
        ),
    });
    let head = Fake::start(|_| Reply::new(200, "").header("X", "x".repeat(1 << 20)));
    let round = Fake::start(|asked| Reply::new(307, "").header("Location", format!("{}x", asked.path)));
    for fake in [manifest, error, token, head, round] {
        // A process with little memory: an answer that were read whole would end it.
        let script =
            format!("ulimit -v 1500000; kiln pull --retry 0 --tls-verify=false docker://{}/x", fake.host);
        let outcome = env.shell(&script);
        assert_eq!(outcome.code, 125, "{outcome:#?}");
        assert!(fake.seen().len() < 15, "{outcome:#?}");
    }
    assert_eq!(env.ok(["images", "-q"]), "");
}

#[test]
fn credentials_stay_with_their_registry() {
    let Some((env, image)) = story("credentials_stay_with_their_registry") else { return };
    // Blobs are on another server, as many registries have them: what is asked there carries no credentials.
    let store = {
        let image = image.clone();
        Fake::start(move |asked| image.answer(asked))
    };
    let (there, honest) = (store.host.clone(), image.clone());
    let basic = Fake::start(move |asked| match asked.header("authorization") {
        None => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if asked.path.contains("/blobs/") => {
            Reply::new(307, "").header("Location", format!("http://{there}{}?signature=5", asked.path))
        }
        Some(_) => honest.answer(asked),
    });
    let name = format!("docker://{}/x", basic.host);
    env.ok(["pull", "-q", "--tls-verify=false", "--creds", "user:horse", &name]);
    env.ok(["rmi", "-f", "-a"]);
    assert!(!store.seen().is_empty());
    assert!(store.seen().iter().all(|asked| asked.header("authorization").is_none()), "they followed");
    assert!(
        basic.seen().iter().any(|asked| asked.header("authorization") == Some(&format!("Basic {SECRET}")))
    );
    // A token service on a strange host gets none, nor is it asked without them.
    let strange = Fake::start(|_| Reply::new(200, r#"{"token":"t"}"#));
    let realm = strange.host.replace("localhost", "127.0.0.1");
    let lure = Fake::start(move |_| {
        Reply::new(401, "")
            .header("WWW-Authenticate", format!("Bearer realm=\"http://{realm}/token\",service=\"s\""))
    });
    assert!(refused(&env, &lure.host).contains("credentials sent to `127.0.0.1`"));
    assert_eq!(strange.seen().len(), 0);
    // Credentials for one registry are not tried on one that only looks like it.
    let auth = format!(
        r#"{{"auths":{{"localhost":{{"auth":"{SECRET}"}},"{}.evil":{{"auth":"{SECRET}"}}}}}}"#,
        basic.host
    );
    env.write("auth.json", auth);
    let before = basic.seen().len();
    env.fails(125, ["pull", "--tls-verify=false", "--authfile", "auth.json", &name]);
    assert!(basic.seen()[before..].iter().all(|asked| asked.header("authorization").is_none()));
    // A redirect to plain http or to something else altogether is not followed from https; see the unit tests.
    let file = Fake::start(|_| Reply::new(307, "").header("Location", "file:///etc/passwd"));
    assert!(refused(&env, &file.host).contains("redirect"));
}

#[test]
fn tokens_are_asked_for_what_is_done() {
    let Some((env, image)) = story("tokens_are_asked_for_what_is_done") else { return };
    let honest = image.clone();
    let count = Arc::new(AtomicUsize::new(0));
    let fake = Fake::start(move |asked| {
        if asked.path.starts_with("/token") {
            let number = count.fetch_add(1, Ordering::Relaxed);
            return Reply::new(200, format!(r#"{{"access_token":"t{number}","expires_in":300}}"#));
        }
        // The first token ends early.
        match asked.header("authorization") {
            Some(token) if token != "Bearer t0" => honest.answer(asked),
            _ => Reply::new(401, "").header(
                "WWW-Authenticate",
                format!(
                    r#"Bearer realm="http://{}/token",service="a b",scope="repository:x:pull""#,
                    asked.header("host").unwrap_or_default()
                ),
            ),
        }
    });
    let name = format!("docker://{}/x", fake.host);
    let mut asked = Vec::new();
    env.fails(125, ["pull", "--tls-verify=false", &name]);
    env.ok(["pull", "-q", "--tls-verify=false", "--creds", "user:horse", &name]);
    env.ok(["rmi", "-f", "-a"]);
    let token = format!(r#"{{"auths":{{"{}":{{"identitytoken":"ref/resh"}}}}}}"#, fake.host);
    env.write("auth.json", token);
    env.ok(["pull", "-q", "--tls-verify=false", "--authfile", "auth.json", &name]);
    for request in fake.seen().iter().filter(|request| request.path.starts_with("/token")) {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        asked.push(format!(
            "{} {} {:?} {body}",
            request.method,
            request.path,
            request.header("authorization")
        ));
    }
    assert_eq!(
        asked,
        [
            "GET /token?scope=repository%3Ax%3Apull&service=a%20b None ".to_owned(),
            format!(
                "GET /token?account=user&scope=repository%3Ax%3Apull&service=a%20b Some(\"Basic {SECRET}\") "
            ),
            "POST /token None grant_type=refresh_token&client_id=kiln&refresh_token=ref%2Fresh\
             &scope=repository%3Ax%3Apull&service=a%20b"
                .to_owned(),
        ]
    );
}

#[test]
fn a_pull_that_is_cut_goes_on() {
    let Some((env, registry)) = with_registry("a_pull_that_is_cut_goes_on", Setup::default()) else { return };
    // Incompressible, so that the layer is as large as it looks.
    env.shell(
        "head -c 300000 /dev/urandom >noise; c=$(kiln from base)
         kiln copy -q $c noise /noise; kiln commit -q $c noisy >id",
    )
    .expect_ok("a larger image");
    env.ok(["push", "-q", "--tls-verify=false", "noisy", &format!("docker://{}/noisy", registry.host)]);
    let id = env.ok(["images", "-q", "--no-trunc", "noisy"]);
    for step in [1, 7, 200, 700, 1500, 4096, 40_000, 100_000, 250_000] {
        env.ok(["rmi", "-f", "-a"]);
        let cutter = Cutter::start(&registry.host, Limit { up: None, down: Some(step), times: 6 });
        let name = format!("docker://{}/noisy", cutter.host);
        let flags = ["pull", "-q", "--tls-verify=false", "--retry", "8", "--retry-delay", "1ms", &name];
        let pulled = env.ok(flags);
        assert!(id.ends_with(&pulled), "cut every {step} bytes: {pulled} in place of {id}");
        assert!(cutter.cuts.load(Ordering::Relaxed) > 0, "nothing was cut after {step} bytes");
    }
}

#[test]
fn a_pull_that_is_cut_too_often_says_what_to_do() {
    let test = "a_pull_that_is_cut_too_often_says_what_to_do";
    let Some((env, image)) = story(test) else { return };
    let layer = image.layer();
    // The first answer is cut, and the next have not a byte of what is left.
    let fake = Fake::start(move |asked| match asked.path.ends_with(&layer) {
        true => {
            Reply::new(200, "abc").lying_length(blob(&image.dir, &layer).expect("the layer").len() as u64)
        }
        false => image.answer(asked),
    });
    let said = refused(&env, &fake.host);
    assert!(said.contains("the connection was cut"), "{said}");
    assert!(said.contains("\nhint: try again later; --retry N goes on for longer"), "{said}");
}

#[test]
fn a_push_that_is_cut_goes_on_or_fails_whole() {
    let Some((env, registry)) = with_registry("a_push_that_is_cut_goes_on_or_fails_whole", Setup::default())
    else {
        return;
    };
    env.shell(
        "head -c 3000000 /dev/urandom >noise; c=$(kiln from base)
         kiln copy -q $c noise /noise; kiln commit -q $c noisy >id",
    )
    .expect_ok("a larger image");
    for (number, step) in [1, 100, 300, 5000, 70_000, 1_000_000].into_iter().enumerate() {
        let limit = Limit { up: Some(step), down: None, times: 3 };
        let cutter = Cutter::start(&registry.host, limit);
        let path = format!("cut{number}");
        let flags = ["push", "-q", "--tls-verify=false", "--retry", "6", "--retry-delay", "1ms", "noisy"];
        let target = format!("docker://{}/{path}", cutter.host);
        env.ok(flags.into_iter().chain([target.as_str()]));
        env.ok(["rmi", "-f", "noisy"]);
        env.ok(["pull", "-q", "--tls-verify=false", &format!("docker://{}/{path}", registry.host)]);
        env.ok(["tag", &format!("{}/{path}", registry.host), "noisy"]);
        assert!(cutter.cuts.load(Ordering::Relaxed) > 0, "nothing was cut after {step} bytes");
    }
}

#[test]
fn an_upload_that_was_cut_is_resumed_and_secrets_stay_here() {
    let Some(env) = with_base("an_upload_that_was_cut_is_resumed_and_secrets_stay_here") else { return };
    env.shell(
        "head -c 2000000 /dev/urandom >noise; c=$(kiln from base)
         kiln copy -q $c noise /noise; kiln commit -q $c noisy >id",
    )
    .expect_ok("a larger image");
    let (got, place) =
        (Arc::new(std::sync::Mutex::new(Vec::<u8>::new())), Arc::new(std::sync::OnceLock::new()));
    let (bytes, named): (_, Arc<std::sync::OnceLock<String>>) = (got.clone(), place.clone());
    // Uploads are on another server than the registry; of what it is sent first it keeps a part and fails.
    let uploads = Fake::start(move |asked| {
        let mut bytes = bytes.lock().expect("no panic");
        let here = format!("http://{}/up?state={}", asked.header("host").unwrap_or_default(), bytes.len());
        match asked.method.as_str() {
            "PATCH" if bytes.is_empty() => {
                bytes.extend(&asked.body[..asked.body.len() / 2]);
                Reply::new(503, "").header("Retry-After", "0")
            }
            "PATCH" => {
                if asked.path.ends_with("state=0") {
                    bytes.clear();
                }
                bytes.extend(&asked.body);
                Reply::new(202, "").header("Location", here)
            }
            "GET" => {
                Reply::new(204, "").header("Location", here).header("Range", format!("0-{}", bytes.len() - 1))
            }
            "PUT" => Reply::new(201, ""),
            _ => Reply::new(204, ""),
        }
    });
    let up = uploads.host.clone();
    let registry = Fake::start(move |asked| match (asked.method.as_str(), asked.header("authorization")) {
        (_, None) => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
        ("HEAD", _) => Reply::new(404, ""),
        ("POST", _) => Reply::new(202, "").header("Location", format!("http://{up}/up?state=new")),
        ("PUT", _) => {
            let _ = named.set(String::from_utf8_lossy(&asked.body).into_owned());
            Reply::new(201, "")
        }
        _ => Reply::new(404, ""),
    });
    let target = format!("docker://{}/x", registry.host);
    env.ok([
        "push",
        "-q",
        "--tls-verify=false",
        "--retry-delay",
        "1ms",
        "--creds",
        "user:horse",
        "noisy",
        &target,
    ]);
    let layer = digest_of(&got.lock().expect("no panic"));
    assert!(place.get().expect("a manifest").contains(&layer), "the upload's bytes are not the layer's");
    assert!(
        uploads.seen().iter().all(|asked| asked.header("authorization").is_none()),
        "secrets went elsewhere"
    );
}

#[test]
fn an_upload_that_comes_forward_is_cut_more_often_than_it_is_tried_again() {
    let test = "an_upload_that_comes_forward_is_cut_more_often_than_it_is_tried_again";
    let Some(env) = with_base(test) else { return };
    env.shell(
        "head -c 50000000 /dev/urandom >noise; c=$(kiln from base)
         kiln copy -q $c noise /noise; kiln commit -q $c noisy",
    )
    .expect_ok("a large image");
    let (got, cuts) = (Arc::new(std::sync::Mutex::new(Vec::<u8>::new())), Arc::new(AtomicU64::new(0)));
    let (bytes, counted) = (got.clone(), cuts.clone());
    let registry = Fake::reading(12 << 20, move |asked| {
        let mut bytes = bytes.lock().expect("no panic");
        let here = format!("/up?state={}", bytes.len());
        match asked.method.as_str() {
            "PATCH" => {
                bytes.extend(&asked.body);
                if asked.body.len() >= 12 << 20 {
                    // The rest of the body is not read: the connection ends in the middle of it.
                    counted.fetch_add(1, Ordering::Relaxed);
                    return Reply::new(503, "").header("Retry-After", "0");
                }
                Reply::new(202, "").header("Location", here)
            }
            "GET" if asked.path.starts_with("/up") => {
                Reply::new(204, "").header("Location", here).header("Range", format!("0-{}", bytes.len() - 1))
            }
            "GET" => Reply::new(200, ""),
            "POST" => Reply::new(202, "").header("Location", "/up?state=0"),
            "PUT" => Reply::new(201, ""),
            _ => Reply::new(404, ""),
        }
    });
    let target = format!("docker://{}/x", registry.host);
    let push = "push -q --tls-verify=false --retry 1 --retry-delay 1ms --disable-compression noisy";
    env.ok(push.split(' ').chain([target.as_str()]));
    assert!(cuts.load(Ordering::Relaxed) > 2, "it was not cut often enough");
    let layers =
        env.ok(["inspect", "--type", "image", "--format", "{{json .OCIv1.RootFS.DiffIDs}}", "noisy"]);
    let layer = digest_of(&got.lock().expect("no panic"));
    assert!(layers.contains(&layer), "the upload's bytes are not the layer's");
}

#[test]
fn a_blob_is_mounted_or_sent() {
    let Some((env, registry)) = with_registry("a_blob_is_mounted_or_sent", Setup::default()) else { return };
    let at = |path: &str| format!("docker://{}/{path}", registry.host);
    env.ok(["push", "-q", "--tls-verify=false", "base", &at("one")]);
    env.ok(["rmi", "-f", "-a"]);
    env.ok(["pull", "-q", "--tls-verify=false", &at("one")]);
    let image = format!("{}/one", registry.host);
    env.ok(["push", "-q", "--tls-verify=false", &image, &at("two")]);
    env.ok(["rmi", "-f", "-a"]);
    env.ok(["pull", "-q", "--tls-verify=false", &at("two")]);
}
