//! Stories of proxies: which requests they get, in which form, and which go past them.

use std::sync::{Arc, Mutex};

use crate::support::env::Outcome;
use crate::support::fake::{Fake, Reply, Tunnel};
use crate::support::registry::{Setup, with_registry};
use crate::support::{Env, with_base};

/// `user:horse` in base64.
const SECRET: &str = "dXNlcjpob3JzZQ==";

/// Pushes to a place that need not speak TLS.
fn push(env: &Env, target: &str) -> Outcome {
    env.kiln(["push", "--tls-verify=false", "--retry", "0", "base", &format!("docker://{target}")])
}

#[test]
fn plain_requests_are_handed_to_the_proxy_whole() {
    let Some(mut env) = with_base("plain_requests_are_handed_to_the_proxy_whole") else { return };
    let manifests: Arc<Mutex<Vec<String>>> = Arc::default();
    let taken = manifests.clone();
    let proxy = Fake::start(move |asked| match asked.method.as_str() {
        // It reaches nobody who speaks TLS.
        "CONNECT" => Reply::new(502, ""),
        "HEAD" => Reply::new(404, ""),
        "POST" => Reply::new(202, "").header("Location", "/up?state=1"),
        "PUT" if asked.path.contains("/manifests/") => {
            taken.lock().expect("no panic").push(String::from_utf8_lossy(&asked.body).into_owned());
            Reply::new(201, "")
        }
        "PUT" => Reply::new(201, ""),
        _ => Reply::new(202, "").header("Location", "/up?state=2"),
    });
    let secret = proxy.host.replace("localhost", "user:horse@localhost");
    env.set("http_proxy", format!("http://{secret}"));
    env.set("https_proxy", format!("http://{secret}"));
    let told = push(&env, "registry.example:5000/team/base:1");
    assert_eq!(told.code, 0, "{told:?}");
    assert!(!format!("{told:?}").contains("horse"), "{told:?}");
    assert_eq!(manifests.lock().expect("no panic").len(), 1);
    let seen = proxy.seen();
    let put = seen.iter().find(|asked| asked.path.contains("/manifests/") && asked.method == "PUT");
    let put = put.expect("the manifest was put");
    assert_eq!(put.path, "http://registry.example:5000/v2/team/base/manifests/1");
    assert_eq!(put.header("host"), Some("registry.example:5000"));
    for asked in &seen {
        let login = asked.header("proxy-authorization").unwrap_or_default();
        assert_eq!(login, format!("Basic {SECRET}"), "{asked:?}");
        assert!(asked.method == "CONNECT" || asked.path.starts_with("http://registry.example:5000/"));
    }
    assert!(seen.iter().any(|asked| asked.method == "CONNECT" && asked.path == "registry.example:5000"));
    // With certificates to be checked there is only the connection the proxy is to make.
    let before = proxy.seen().len();
    env.fails(125, ["push", "--retry", "0", "base", "docker://registry.example/base"]);
    let tunnels: Vec<_> = proxy.seen()[before..].iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(tunnels, ["registry.example:443"]);
    // Past it: what no_proxy names, and this machine.
    let before = proxy.seen().len();
    env.set("no_proxy", ".example,10.0.0.0/8");
    assert_ne!(push(&env, "registry.example/base").code, 0);
    assert_ne!(push(&env, "localhost:1/base").code, 0);
    assert_eq!(proxy.seen().len(), before);
    env.set("http_proxy", "socks4://horse@localhost:1");
    env.set("https_proxy", "socks4://horse@localhost:1");
    env.set("no_proxy", "");
    let told = push(&env, "registry.example/base");
    assert!(told.stderr.contains("cannot use the proxy that is set"), "{told:?}");
    assert!(!told.stderr.contains("horse"), "{told:?}");
}

#[test]
fn a_proxy_may_speak_socks() {
    let Some((mut env, registry)) = with_registry("a_proxy_may_speak_socks", Setup::default()) else {
        return;
    };
    let proxy = Tunnel::start(&registry.host.replace("localhost", "127.0.0.1"));
    // To the plain port of a registry, which is not found to speak TLS first.
    for (scheme, login) in [("socks5", ""), ("socks5h", "user:horse@")] {
        env.set("http_proxy", format!("{scheme}://{login}{}", proxy.host));
        env.set("https_proxy", format!("{scheme}://{login}{}", proxy.host));
        let name = format!("docker://registry.example:5000/{scheme}");
        env.ok(["push", "-q", "--tls-verify=false", "base", &name]);
        env.ok(["pull", "-q", "--tls-verify=false", &name]);
        let last = proxy.asked().pop().expect("somebody asked");
        assert_eq!(last, format!("SOCKS {} registry.example:5000", login.trim_end_matches('@')));
    }
    let before = proxy.asked().len();
    env.ok(["push", "-q", "--tls-verify=false", "base", &format!("docker://{}/direct", registry.host)]);
    assert_eq!(proxy.asked().len(), before, "this machine itself is reached without");
    env.set("https_proxy", "socks5://user:horse@localhost:1");
    let said = env.fails(125, ["pull", "--retry", "0", "docker://registry.example/base"]);
    assert!(said.contains("the way there is through the proxy") && !said.contains("horse"), "{said}");
}

#[test]
fn tls_goes_through_the_connection_a_proxy_makes() {
    let setup = Setup { tls: true, ..Setup::default() };
    let Some((mut env, registry)) = with_registry("tls_goes_through_the_connection_a_proxy_makes", setup)
    else {
        return;
    };
    let target = registry.host.replace("localhost", "127.0.0.1");
    let proxy = Tunnel::start(&target);
    env.set("https_proxy", format!("http://{}", proxy.host));
    env.shell("mkdir certs; cp ca.crt certs").expect_ok("certificates");
    // The certificate is for `localhost`, which is never reached through a proxy; so it is not checked.
    env.ok(["push", "-q", "--tls-verify=false", "base", "docker://registry.example/base"]);
    assert!(proxy.asked().iter().all(|line| line.starts_with("CONNECT registry.example:443 ")));
    let said =
        env.fails(125, ["push", "-q", "--cert-dir", "certs", "base", "docker://registry.example/base"]);
    assert!(said.contains("for another host name"), "{said}");
}
