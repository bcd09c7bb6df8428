//! Stories of `docker-daemon:` with the real daemon, which is asked by its own client and by Skopeo.

use crate::support::dockerd::Dockerd;
use crate::support::{Env, Need, images, needs};

/// A store with the busybox image `localhost/base`, for whoever `env` is for, that knows where the daemon is.
fn store(env: Option<Env>, dockerd: &Dockerd) -> Option<Env> {
    let mut env = env?;
    env.set("DOCKER_HOST", dockerd.host());
    images::write_busybox(&env.path("layout"), "localhost/base")?;
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    Some(env)
}

/// The id of an image in the store, as Docker has it.
fn id(env: &Env, image: &str) -> String {
    format!("sha256:{}", env.ok(["inspect", "--type", "image", "--format", "{{.FromImageID}}", image]))
}

/// Makes an image of the base and one file more.
fn with_file(env: &Env, name: &str) {
    env.write(name, format!("content of {name}\n").repeat(40_000));
    env.ok(["from", "-q", "--name", name, "base"]);
    env.ok(["copy", "-q", name, name, "/"]);
    env.ok(["commit", "-q", name, name]);
}

#[test]
fn images_go_into_the_daemon_and_come_out_the_same() {
    let test = "docker_daemon::images_go_into_the_daemon_and_come_out_the_same";
    if !needs(test, &[Need::Busybox]) {
        return;
    }
    let Some(dockerd) = Dockerd::start(test) else { return };
    let Some(env) = store(Some(Env::new()), &dockerd) else { return };
    with_file(&env, "one");
    env.ok(["push", "-q", "base", "docker-daemon:base:1"]);
    assert_eq!(dockerd.ok(["inspect", "--format", "{{.Id}}", "base:1"]), id(&env, "base"));
    // The base is there already, and not sent again.
    let said = env.kiln(["push", "one", "docker-daemon:team/one"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.stderr.matches("Copying blob").count(), 1, "{said:?}");
    assert_eq!(dockerd.ok(["inspect", "--format", "{{.Id}}", "team/one"]), id(&env, "one"));
    // It is whole: the daemon itself can write all of it.
    dockerd.ok(["save", "-o", &env.path("saved").display().to_string(), "team/one"]);
    // Two names at once, and more tags of what it has.
    env.ok([
        "image",
        "copy",
        "-q",
        "--additional-tag",
        "three:3",
        "containers-storage:one",
        "docker-daemon:two:2",
    ]);
    assert_eq!(dockerd.ok(["images", "-q", "--no-trunc", "three:3"]), id(&env, "one"));

    // A commit goes there without a detour, too.
    env.ok(["run", "one", "touch", "/committed"]);
    env.ok(["commit", "-q", "--timestamp", "0", "one", "docker-daemon:committed:1"]);
    let layers = dockerd.ok(["inspect", "--format", "{{len .RootFS.Layers}}", "committed:1"]);
    assert_eq!(layers, "2");

    let out = |name: &str| format!("oci:{}:x", env.path(name).display());
    env.ok(["image", "copy", "-q", "docker-daemon:team/one:latest", &out("ours")]);
    env.ok(["image", "copy", "-q", "docker-archive:saved", &out("archive")]);
    let index = |name: &str| std::fs::read_to_string(env.path(name).join("index.json")).unwrap();
    assert_eq!(index("ours"), index("archive"));
    for image in ["docker-daemon:team/one:latest".to_owned(), format!("docker-daemon:{}", id(&env, "one"))] {
        let layers = env.ok(["image", "inspect", "--format", "{{len .Layers}}", &image]);
        assert_eq!(layers, "2", "{image}");
    }
    // Layers come before anything says what they are, and go on where Podman looks all the same.
    for driver in ["overlay", "vfs"] {
        let place = format!("containers-storage:[{driver}@{}]localhost/one", env.path(driver).display());
        env.ok(["image", "copy", "-q", "docker-daemon:team/one:latest", &place]);
        let there = env.ok(["image", "inspect", "--config", "--raw", &place]);
        assert_eq!(there, env.ok(["image", "inspect", "--config", "--raw", "docker-daemon:team/one:latest"]));
        env.ok(["image", "copy", "-q", &place, &format!("docker-daemon:back:{driver}")]);
        assert_eq!(dockerd.ok(["images", "-q", "--no-trunc", &format!("back:{driver}")]), id(&env, "one"));
    }
    let before = id(&env, "one");
    env.ok(["rm", "--all"]);
    env.ok(["rmi", "--all", "--force"]);
    env.ok(["prune", "--all"]);
    env.ok(["from", "-q", "--name", "c", "docker-daemon:team/one:latest"]);
    assert_eq!(env.ok(["run", "c", "head", "-n1", "/one"]), "content of one");
    assert_eq!(format!("sha256:{}", env.ok(["pull", "-q", "docker-daemon:team/one:latest"])), before);
    assert_eq!(format!("sha256:{}", env.ok(["pull", "-q", &format!("docker-daemon:{before}")])), before);
    another_tool(&env, &dockerd);
    refusals(&env);
}

/// What Kiln put there Skopeo finds, and the other way round.
fn another_tool(env: &Env, dockerd: &Dockerd) {
    if needs::find_program("skopeo").is_none() {
        return;
    }
    let host = dockerd.host();
    let by_skopeo = |args: &[&str]| env.run("skopeo", [&["--insecure-policy", "copy", "-q"], args].concat());
    by_skopeo(&[
        "--src-daemon-host",
        &host,
        "docker-daemon:team/one:latest",
        "docker-archive:skopeo.tar:x:1",
    ]);
    let config = |image: &str| env.ok(["image", "inspect", "--config", "--raw", image]);
    assert_eq!(config("docker-archive:skopeo.tar"), config("docker-daemon:team/one:latest"));
    by_skopeo(&["--dest-daemon-host", &host, "oci:layout:localhost/base", "docker-daemon:skopeo:1"]);
    assert_eq!(config("docker-daemon:skopeo:1"), config("oci:layout"));
    // The flag wins over the variable.
    let said = env
        .fails(125, ["image", "copy", "--src-daemon-host", "unix:///nowhere", "docker-daemon:a:1", "dir:x"]);
    assert!(said.contains("cannot talk to the Docker daemon at `unix:///nowhere`: No such file"), "{said}");
}

fn refusals(env: &Env) {
    let said = env.fails(125, ["pull", "docker-daemon:nosuch:1"]);
    assert!(said.contains("cannot read the image `nosuch:1` of the Docker daemon"), "{said}");
    assert!(said.contains("hint: see which images it has: docker images"), "{said}");
    let digest = format!("docker-daemon:sha256:{}", "0".repeat(64));
    assert!(env.fails(125, ["push", "one", &digest]).contains("a digest is not given"));
    let said =
        env.fails(125, ["image", "copy", "--all", "--format", "oci", "docker-daemon:nosuch:1", "dir:y"]);
    assert!(said.contains("cannot read the image"), "{said}");
}

/// Makes two authorities, and of the first one a server's and a client's certificate: `good`; `stranger` has a client
/// certificate of the second and knows the server, `lost` knows the second authority only.
const CERTIFICATES: &str = "exec 2>/dev/null
    authority() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$1 -keyout $1.key -out $1.pem; }
    signed() { openssl req -newkey rsa:2048 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr
        printf \"$3\" >ext
        openssl x509 -req -in $1.csr -days 2 -CA $2.pem -CAkey $2.key -CAcreateserial -extfile ext -out $1.pem; }
    authority one; authority two
    signed server one 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth'
    signed client one extendedKeyUsage=clientAuth; signed other two extendedKeyUsage=clientAuth
    set_up() { mkdir $1; cp $2.pem $1/ca.pem; [ -z $3 ] || { cp $3.pem $1/cert.pem; cp $3.key $1/key.pem; }; }
    set_up good one client; set_up stranger one other; set_up nobody one ''; set_up lost two client
    set_up broken one client; echo none >broken/ca.pem";

#[test]
fn a_daemon_behind_tls() {
    let test = "docker_daemon::a_daemon_behind_tls";
    if !needs(test, &[Need::Root, Need::Program("openssl")]) {
        return;
    }
    let mut env = Env::new();
    env.shell(CERTIFICATES).expect_ok("the certificates");
    let id = format!("sha256:{}", images::write_small(&env.path("layout"), "base"));
    // A free port: taken and given back, so that the daemon can have it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |name: &str| env.path(name).display().to_string();
    let words = ["--tlsverify", "--tlscacert", &file("one.pem"), "--tlscert", &file("server.pem")];
    let more = ["--tlskey", &file("server.key"), "--host", &format!("tcp://127.0.0.1:{port}")];
    let words: Vec<String> = words.iter().chain(&more).map(|&word| word.to_owned()).collect();
    let Some(dockerd) = Dockerd::start_with(test, &words) else { return };
    env.set("DOCKER_HOST", format!("tcp://127.0.0.1:{port}"));
    let tls = "DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$PWD";
    env.shell(&format!(
        "export {tls}/good; kiln image copy -q oci:layout:base docker-daemon:base:1
        kiln image copy -q docker-daemon:base:1 oci:back:x; kiln from -q docker-daemon:base:1 >/dev/null
        unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH;
        kiln image copy -q --dest-daemon-host tcp://127.0.0.1:{port} --dest-cert-dir good \
            oci:layout:base docker-daemon:two:2"
    ))
    .expect_ok("copies there and back");
    for name in ["base:1", "two:2"] {
        assert_eq!(dockerd.ok(["inspect", "--format", "{{.Id}}", name]), id);
    }
    for (setting, why) in [
        (format!("{tls}/stranger"), "BadCertificate"),
        (format!("{tls}/nobody"), "ended the TLS handshake"),
        (format!("{tls}/lost"), "no authority that is trusted here"),
        (format!("{tls}/broken"), "ca.pem"),
        (format!("{tls}/good DOCKER_HOST=tcp://localhost:{port}"), "another host name"),
        ("DOCKER_CERT_PATH=$PWD/good".to_owned(), "an HTTP request to an HTTPS server"),
    ] {
        let said = env.shell(&format!("{setting} kiln pull -q docker-daemon:base:1"));
        let hint = "hint: name the directory with its ca.pem, cert.pem and key.pem: ";
        assert!(said.code == 125 && said.stderr.contains(hint), "{setting}: {said:?}");
        assert!(said.stderr.contains(why), "{setting}: {said:?}");
    }
}

#[test]
fn an_ordinary_user_who_may_talk_to_the_daemon() {
    let test = "docker_daemon::an_ordinary_user_who_may_talk_to_the_daemon";
    if !needs(test, &[Need::User, Need::Busybox]) {
        return;
    }
    let Some(dockerd) = Dockerd::start(test) else { return };
    let Some(env) = store(Env::for_user(test), &dockerd) else { return };
    let said = env.fails(125, ["push", "base", "docker-daemon:base:1"]);
    assert!(said.contains("Permission denied") && said.contains("hint: become a member"), "{said}");
    dockerd.open_to_all();
    with_file(&env, "one");
    env.ok(["push", "-q", "one", "docker-daemon:one:1"]);
    assert_eq!(dockerd.ok(["inspect", "--format", "{{.Id}}", "one:1"]), id(&env, "one"));
    env.ok(["from", "-q", "--name", "c", "docker-daemon:one:1"]);
    assert_eq!(env.ok(["run", "c", "head", "-n1", "/one"]), "content of one");
}
