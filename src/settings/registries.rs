//! Where what concerns registries is written: `registries.conf`, credentials, certificates, signature policies. Only
//! places are worked out here; nothing is opened before a registry is used.

use std::path::PathBuf;

use builder_core::{DaemonSettings, Proxies, RegistrySettings};

use crate::args::Globals;
use crate::settings::Environment;

/// The places for this user, with what flags and environment say.
pub fn look(globals: &Globals) -> RegistrySettings {
    let path = |name: &str| Environment::get(name).map(PathBuf::from);
    let home = path("HOME");
    let below_home = |below: &str| home.as_ref().map(|home| home.join(below));
    let etc = |below: &str| PathBuf::from("/etc").join(below);

    let named = globals.registries_conf.clone();
    let named =
        named.or_else(|| path("CONTAINERS_REGISTRIES_CONF")).or_else(|| path("REGISTRIES_CONFIG_PATH"));
    let conf = match named {
        Some(named) => vec![named],
        None => below_home(".config/containers/registries.conf")
            .into_iter()
            .chain([etc("containers/registries.conf"), "/usr/share/containers/registries.conf".into()])
            .collect(),
    };
    let conf_dirs = match &globals.registries_conf_dir {
        Some(named) => vec![named.clone()],
        None => {
            [Some(etc("containers/registries.conf.d")), below_home(".config/containers/registries.conf.d")]
                .into_iter()
                .flatten()
                .collect()
        }
    };
    let root = rustix::process::getuid().is_root();
    let short_names = globals.short_name_alias_conf.clone().or_else(|| match root {
        true => Some("/var/cache/containers/short-name-aliases.conf".into()),
        false => path("XDG_CACHE_HOME")
            .or_else(|| below_home(".cache"))
            .map(|cache| cache.join("containers/short-name-aliases.conf")),
    });
    let policy = match path("CONTAINERS_POLICY_JSON") {
        Some(named) => vec![named],
        None => below_home(".config/containers/policy.json")
            .into_iter()
            .chain([etc("containers/policy.json")])
            .collect(),
    };
    let signature_dirs = below_home(".config/containers/registries.d").into_iter();
    let cert_dirs = below_home(".config/containers/certs.d").into_iter();
    RegistrySettings {
        conf,
        conf_dirs,
        short_names,
        sources: Environment::text("BUILD_REGISTRY_SOURCES"),
        auth_files: auth_files(),
        cert_dirs: cert_dirs.chain([etc("containers/certs.d"), etc("docker/certs.d")]).collect(),
        bundle: path("SSL_CERT_FILE"),
        bundle_dirs: Environment::get("SSL_CERT_DIR")
            .map(|dirs| std::env::split_paths(&dirs).collect())
            .unwrap_or_default(),
        policy,
        signature_dirs: signature_dirs.chain([etc("containers/registries.d")]).collect(),
        signatures: match root {
            true => "/var/lib/containers/sigstore".into(),
            false => below_home(".local/share/containers/sigstore").unwrap_or_default(),
        },
        proxies: proxies(),
        daemon: DaemonSettings {
            // Docker's own client takes an empty one for none.
            host: Environment::text("DOCKER_HOST").filter(|host| !host.is_empty()),
            tls: Environment::text("DOCKER_TLS_VERIFY").is_some_and(|word| !word.is_empty()),
            certificates: path("DOCKER_CERT_PATH").or_else(|| below_home(".docker")),
        },
    }
}

/// Where credentials may be, the file that `login` writes first: containers-auth.json(5).
fn auth_files() -> Vec<PathBuf> {
    let path = |name: &str| Environment::get(name).map(PathBuf::from);
    if let Some(named) = path("REGISTRY_AUTH_FILE") {
        return vec![named];
    }
    let home = path("HOME");
    let below_home = |below: &str| home.as_ref().map(|home| home.join(below));
    let runtime = match path("XDG_RUNTIME_DIR") {
        Some(dir) => dir.join("containers/auth.json"),
        None => PathBuf::from(format!("/run/containers/{}/auth.json", rustix::process::getuid().as_raw())),
    };
    let config = path("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let docker = path("DOCKER_CONFIG").or_else(|| below_home(".docker"));
    [
        Some(runtime),
        config.map(|dir| dir.join("containers/auth.json")),
        docker.map(|dir| dir.join("config.json")),
        below_home(".dockercfg"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The proxies of the environment, in lower case first, as the field's tools read them.
fn proxies() -> Proxies {
    let either = |name: &str| Environment::text(name).or_else(|| Environment::text(&name.to_uppercase()));
    Proxies { http: either("http_proxy"), https: either("https_proxy"), none: either("no_proxy") }
}
