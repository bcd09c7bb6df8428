//! Where signatures of an image are: `registries.d` (containers-registries.d(5)) names a place per registry, or part of
//! one, and they lie there as `PATH@sha256=HEX/signature-1`, `-2` and so on.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Context, Error, Kind, Result};
use crate::name::Reference;
use crate::oci::Digest;
use crate::settings::RegistrySettings;
use crate::transport::http::{Client, Failure, Method, Request, Retry, Tls, Url};

/// The most signatures that are read of one image, and the most bytes of one.
const MAX_SIGNATURES: usize = 128;
const MAX_SIGNATURE: u64 = 4 << 20;

/// The largest file of `registries.d` that is read, bytes.
const MAX_FILE: u64 = 1 << 20;

/// One file of `registries.d`. Keys for what is only written are not read.
#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(rename = "default-docker")]
    default: Option<Place>,
    #[serde(default)]
    docker: BTreeMap<String, Place>,
}

#[derive(Debug, Default, Deserialize)]
struct Place {
    lookaside: Option<String>,
    /// The older name of the same.
    sigstore: Option<String>,
}

impl Place {
    fn address(self) -> Option<String> {
        self.lookaside.or(self.sigstore)
    }
}

/// Reads the file of this name, if there is one.
type Reader = dyn Fn(&str) -> Result<Option<Vec<u8>>>;

/// All signatures there are of the manifest `digest` of `name`.
pub(super) fn signatures(
    settings: &RegistrySettings,
    name: &Reference,
    digest: Digest,
) -> Result<Vec<Vec<u8>>> {
    let base = base(settings, name)?;
    let base = base.trim_end_matches('/');
    let dir = format!("{base}/{}@sha256={}", name.path(), digest.hex());
    let read: Box<Reader> = if let Some(path) = dir.strip_prefix("file://") {
        let path = PathBuf::from(path);
        Box::new(move |file| from_file(&path.join(file)))
    } else if dir.starts_with("https://") || dir.starts_with("http://") {
        let tls = Tls {
            bundle: settings.bundle.clone(),
            bundle_dirs: settings.bundle_dirs.clone(),
            ..Tls::default()
        };
        let client = Client::new(tls, settings.proxies.clone());
        Box::new(move |file| from_server(&client, &format!("{dir}/{file}")))
    } else {
        return Err(Error::new(Kind::Unsupported, format!("cannot read the signatures of `{name}`"))
            .because(format!("they are said to be at `{base}`"))
            .hint("the places in registries.d are file:// and https:// addresses"));
    };
    let mut found = Vec::new();
    for number in 1..=MAX_SIGNATURES {
        match read(&format!("signature-{number}"))? {
            Some(signature) => found.push(signature),
            None => break,
        }
    }
    Ok(found)
}

fn from_file(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.cannot("read the signature", path.display())?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIGNATURE + 1).read_to_end(&mut bytes).cannot("read the signature", path.display())?;
    if bytes.len() as u64 > MAX_SIGNATURE {
        return Err(Error::corrupt(format!("cannot read the signature `{}`", path.display()))
            .because(format!("it is larger than {MAX_SIGNATURE} bytes")));
    }
    Ok(Some(bytes))
}

fn from_server(client: &Client, address: &str) -> Result<Option<Vec<u8>>> {
    let url = Url::parse(address)?;
    Retry::default().run(&crate::event::Silent, "reading a signature", || {
        let response = client.follow(Request::new(Method::Get, url.clone()))?;
        match response.status {
            200 => response.bytes(MAX_SIGNATURE).map(Some),
            404 => Ok(None),
            status => Err(Failure::Lasting(
                Error::new(Kind::Io, format!("cannot read the signature `{url}`"))
                    .because(format!("the server answers with status {status}")),
            )),
        }
    })
}

/// The address below which the signatures of `name` are: that of the most specific entry, else the default one.
fn base(settings: &RegistrySettings, name: &Reference) -> Result<String> {
    let mut all = File::default();
    let dir = settings.signature_dirs.iter().find(|dir| dir.is_dir());
    let mut paths: Vec<PathBuf> = match dir {
        Some(dir) => {
            fs::read_dir(dir).cannot("read", dir.display())?.flatten().map(|item| item.path()).collect()
        }
        None => Vec::new(),
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    for path in paths {
        let file = parse(&path)?;
        let clash = |what: &str| {
            Err(Error::corrupt(format!("cannot use `{}`", path.display()))
                .because(format!("another file beside it says where signatures of {what} are as well")))
        };
        if file.default.is_some() && std::mem::replace(&mut all.default, file.default).is_some() {
            return clash("all registries");
        }
        for (scope, place) in file.docker {
            if all.docker.insert(scope.clone(), place).is_some() {
                return clash(&scope);
            }
        }
    }
    let full = name.to_string();
    let repository = name.repository();
    let above =
        std::iter::successors(Some(repository.as_str()), |scope| scope.rsplit_once('/').map(|(up, _)| up));
    let scope = std::iter::once(full.as_str()).chain(above).find(|scope| all.docker.contains_key(*scope));
    let place = scope.and_then(|scope| all.docker.remove(scope)).and_then(Place::address);
    let usual = || format!("file://{}", settings.signatures.display());
    Ok(place.or_else(|| all.default.and_then(Place::address)).unwrap_or_else(usual))
}

fn parse(path: &Path) -> Result<File> {
    let mut text = String::new();
    let file = fs::File::open(path).cannot("read", path.display())?;
    file.take(MAX_FILE).read_to_string(&mut text).cannot("read", path.display())?;
    serde_yaml_ng::from_str(&text).map_err(|cause| {
        Error::corrupt(format!("cannot use `{}`", path.display()))
            .because(cause)
            .hint("correct it as containers-registries.d(5) says")
    })
}
