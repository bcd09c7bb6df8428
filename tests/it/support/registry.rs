//! A real `docker-registry` on loopback for one story: plain or with TLS, open or with a password.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Env, Need, needs, with_base};

/// `user:secret` as `htpasswd -B` writes it.
const HTPASSWD: &str = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// How long the registry may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a registry is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup {
    /// With the certificates of [`make_certificates`].
    pub tls: bool,
    /// Only for clients that show a certificate.
    pub client: bool,
    /// Only for `user` with the password `secret`.
    pub password: bool,
}

/// A running registry; ended when dropped.
pub struct Registry {
    process: Child,
    /// `localhost:PORT`.
    pub host: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A story with `localhost/base` in its store, and a registry whose host is `$R`.
pub fn with_registry(test: &str, setup: Setup) -> Option<(Env, Registry)> {
    if !needs(test, &[Need::Program("docker-registry"), Need::Program("openssl")]) {
        return None;
    }
    let mut env = with_base(test)?;
    let registry = start(&env, "registry", setup);
    env.set("R", &registry.host);
    let runtime = env.write("run/.keep", "").parent().expect("a directory").to_owned();
    env.set("XDG_RUNTIME_DIR", runtime.display().to_string());
    Some((env, registry))
}

/// Starts a registry with its data in the directory `name` of the story's files.
pub fn start(env: &Env, name: &str, setup: Setup) -> Registry {
    let mut port = free_port();
    for _ in 0..5 {
        if let Some(registry) = try_start(env, name, port, &config(env, name, port, setup)) {
            return registry;
        }
        // Another one took the port meanwhile.
        port = free_port();
    }
    panic!(
        "no registry answers: {}",
        std::fs::read_to_string(env.path(format!("{name}.log"))).unwrap_or_default()
    );
}

/// Starts one that was ended again, at its port, with another configuration.
pub fn start_again(
    env: &Env,
    ended: Registry,
    name: &str,
    change: impl FnOnce(String) -> String,
) -> Registry {
    let port: u16 = ended.host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    drop(ended);
    let config = std::fs::read_to_string(env.path(format!("{name}.yml"))).expect("its configuration");
    try_start(env, name, port, &change(config)).expect("it answers again")
}

fn try_start(env: &Env, name: &str, port: u16, config: &str) -> Option<Registry> {
    let config = env.write(format!("{name}.yml"), config);
    let log = std::fs::File::create(env.path(format!("{name}.log"))).expect("a log");
    let process = Command::new("docker-registry")
        .arg("serve")
        .arg(config)
        .env_clear()
        .env("PATH", super::env::PATH)
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let mut registry =
        Registry { process: process.expect("the registry starts"), host: format!("localhost:{port}") };
    registry.answers(port).then_some(registry)
}

impl Registry {
    fn answers(&mut self, port: u16) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn config(env: &Env, name: &str, port: u16, setup: Setup) -> String {
    let dir = env.path(name);
    let files = env.path("");
    let mut text = format!(
        "version: 0.1\nlog: {{level: warn}}\n\
         storage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
         http:\n  addr: 127.0.0.1:{port}\n",
        dir.display()
    );
    if setup.tls {
        let files = files.display();
        text.push_str(&format!("  tls:\n    certificate: {files}/server.crt\n    key: {files}/server.key\n"));
        if setup.client {
            text.push_str(&format!("    clientcas: [{files}/ca.crt]\n"));
        }
    }
    if setup.password {
        let path = env.write("htpasswd", HTPASSWD);
        text.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path.display()));
    }
    if setup.tls && !env.path("ca.crt").exists() {
        make_certificates(env);
    }
    text
}

/// An authority `ca`, and signed by it `server` for localhost and `client`; `self` has signed itself.
fn make_certificates(env: &Env) {
    let script = r#"
new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key "$@" 2>/dev/null; }
new ca -x509 -days 30 -subj /CN=authority -out ca.crt
printf 'subjectAltName=DNS:localhost\n' >san
for name in server client; do
    new $name -subj /CN=$name -out $name.csr
    openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile san -out $name.crt 2>/dev/null
done
new self -x509 -days 30 -subj /CN=self -addext subjectAltName=DNS:localhost -out self.crt
"#;
    // The first word is the name of the key and no argument of openssl's.
    let script = script.replace(r#"-keyout $1.key "$@""#, r#"-keyout $1.key $(shift; echo "$@")"#);
    env.shell(&script).expect_ok("certificates");
}
