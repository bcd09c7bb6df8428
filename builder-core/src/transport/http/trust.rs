//! Certificates and keys from files: the system's authorities, and directories in the manner of `certs.d`.
//!
//! In one of those `*.crt` are authorities, `NAME.cert` with `NAME.key` is what a client shows
//! (containers-certs.d(5)).

use std::fs;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Context, Error, Kind, Result};

/// Where distributions keep the bundle of all authorities; the first that is there counts, as for Go's programs.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// More than any bundle has; a larger file is not read to its end.
const MAX_FILE: u64 = 16 << 20;

/// A certificate chain and its key, to be shown to a server that asks.
pub(super) struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// What directories hold.
#[derive(Default)]
pub(super) struct Found {
    pub authorities: Vec<CertificateDer<'static>>,
    pub identity: Option<Identity>,
}

/// The system's authorities: of `bundle` and `dirs` if they are given, else of the usual places. None is no error here;
/// the first handshake says then that nobody is trusted.
pub(super) fn system(bundle: Option<&Path>, dirs: &[PathBuf]) -> Vec<CertificateDer<'static>> {
    let mut found = Vec::new();
    let bundle = match bundle {
        Some(bundle) => Some(bundle),
        None if dirs.is_empty() => BUNDLES.iter().map(Path::new).find(|path| path.is_file()),
        None => None,
    };
    // One broken certificate must not take the others along.
    found.extend(bundle.and_then(|path| read(path).ok()).iter().flat_map(|pem| parse(pem)));
    for dir in dirs {
        let items = fs::read_dir(dir).into_iter().flatten().flatten();
        for item in items.filter(|item| item.path().is_file()) {
            found.extend(read(&item.path()).ok().iter().flat_map(|pem| parse(pem)));
        }
    }
    found
}

fn parse(pem: &[u8]) -> impl Iterator<Item = CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(std::result::Result::ok)
}

/// Reads a directory; one that is not there holds nothing.
pub(super) fn directory(dir: &Path, found: &mut Found) -> Result<()> {
    let items = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        items => items.cannot("read the certificates in", dir.display())?,
    };
    let mut paths: Vec<PathBuf> = items.flatten().map(|item| item.path()).collect();
    paths.sort();
    for path in &paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            // What is no certificate is passed over, as everywhere: [`without_certificate`] says where that is so.
            Some("crt") => found.authorities.extend(parse(&read(path)?)),
            Some("cert") => {
                let key = path.with_extension("key");
                if !paths.contains(&key) {
                    return Err(Error::new(Kind::NotFound, sentence(path))
                        .because(format!("there is no `{}` beside it", key.display()))
                        .hint("put the client's key there; the certificate of an authority ends in .crt"));
                }
                let identity = Identity { chain: certificates(path)?, key: private_key(&key)? };
                found.identity.get_or_insert(identity);
            }
            Some("key") if !paths.contains(&path.with_extension("cert")) => {
                return Err(Error::new(Kind::NotFound, format!("cannot use the key `{}`", path.display()))
                    .because(format!("there is no `{}` beside it", path.with_extension("cert").display())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The files of a directory that should name authorities and do not.
pub(crate) fn without_certificate(dir: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(dir).into_iter().flatten().flatten().map(|item| item.path());
    let named = items.filter(|path| path.extension().is_some_and(|extension| extension == "crt"));
    let mut found: Vec<PathBuf> =
        named.filter(|path| read(path).is_ok_and(|pem| parse(&pem).next().is_none())).collect();
    found.sort();
    found
}

/// Reads a directory in the manner of `DOCKER_CERT_PATH`; a file that is not there says nothing.
pub(super) fn client_directory(dir: &Path, found: &mut Found) -> Result<()> {
    let [ca, chain, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| dir.join(name));
    if ca.exists() {
        found.authorities.extend(certificates(&ca)?);
    }
    if chain.exists() && key.exists() {
        found.identity = Some(Identity { chain: certificates(&chain)?, key: private_key(&key)? });
    }
    Ok(())
}

fn sentence(path: &Path) -> String {
    format!("cannot use the certificate `{}`", path.display())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path)?;
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(Error::invalid(sentence(path)).because("it has no certificate in PEM form")),
        Err(cause) => Err(Error::invalid(sentence(path)).because(cause)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|cause| {
        Error::invalid(format!("cannot use the key `{}`", path.display()))
            .because(cause)
            .hint("a key is in PEM form, not encrypted: openssl pkey -in OLD -out NEW")
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).cannot("read", path.display())?;
    file.take(MAX_FILE).read_to_end(&mut bytes).cannot("read", path.display())?;
    Ok(bytes)
}
