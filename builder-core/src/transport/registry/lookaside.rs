//! Where signatures of an image are: `registries.d` (containers-registries.d(5)) names a place per registry, or part of
//! one, and they lie there as `PATH@sha256=HEX/signature-1`, `-2` and so on. Where that is a server, they are written
//! elsewhere, from where somebody brings them there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Context, Error, Kind, Result};
use crate::name::Reference;
use crate::oci::Digest;
use crate::settings::RegistrySettings;
use crate::transport::http::{Client, Failure, Method, Request, Retry, Tls, Url};
use crate::transport::unfinished::Unfinished;

/// The most signatures that are read of one image, and the most bytes of one.
const MAX_SIGNATURES: usize = 128;
const MAX_SIGNATURE: u64 = 4 << 20;

/// The largest file of `registries.d` that is read, bytes.
const MAX_FILE: u64 = 1 << 20;

/// One file of `registries.d`.
#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(rename = "default-docker")]
    default: Option<Place>,
    #[serde(default)]
    docker: BTreeMap<String, Place>,
}

/// Addresses, each by its name and by an older one; both may be given.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Place {
    lookaside: Option<String>,
    sigstore: Option<String>,
    lookaside_staging: Option<String>,
    sigstore_staging: Option<String>,
}

/// What is done with signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    /// They may be written elsewhere than they are read.
    Out,
}

impl Place {
    fn address(&self, way: Way) -> Option<&String> {
        let staging = self.lookaside_staging.as_ref().or(self.sigstore_staging.as_ref());
        let usual = self.lookaside.as_ref().or(self.sigstore.as_ref());
        staging.filter(|_| way == Way::Out).or(usual)
    }
}

/// Reads the file of this name, if there is one.
type Reader = dyn Fn(&str) -> Result<Option<Vec<u8>>>;

/// All signatures there are of the manifest `digest` of `name`.
pub(super) fn read(settings: &RegistrySettings, name: &Reference, digest: Digest) -> Result<Vec<Vec<u8>>> {
    let dir = dir(settings, name, digest, Way::In)?;
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
            .because(format!("they are said to be at `{dir}`"))
            .hint("the places in registries.d are file:// and https:// addresses"));
    };
    let mut found = Vec::new();
    for number in 1..=MAX_SIGNATURES {
        let signature = read(&format!("signature-{number}")).map_err(|error| {
            Error::new(error.kind(), format!("cannot read the signatures of `{name}`")).because(error)
        });
        match signature? {
            Some(signature) => found.push(signature),
            None => break,
        }
    }
    Ok(found)
}

/// Puts signatures of the manifest `digest` where those of `name` are, in place of what is there.
pub(super) fn write(
    settings: &RegistrySettings,
    name: &Reference,
    digest: Digest,
    signatures: &[Vec<u8>],
) -> Result<()> {
    let dir = dir(settings, name, digest, Way::Out)?;
    let Some(dir) = dir.strip_prefix("file://").map(Path::new) else {
        return Err(Error::new(Kind::Unsupported, format!("cannot keep the signatures of `{name}`"))
            .because(format!("they belong to `{dir}`, where nothing can be written"))
            .hint(
                "say where they are written, with lookaside-staging: file://DIRECTORY in registries.d, \
                 or leave them behind with --remove-signatures",
            ));
    };
    fs::create_dir_all(dir).cannot("make the directory", dir.display())?;
    let path = |number: usize| dir.join(format!("signature-{number}"));
    for (number, signature) in (1..).zip(signatures) {
        let path = path(number);
        let written = Unfinished::begin(dir).and_then(|mut file| {
            file.write_all(signature)?;
            file.publish(&path)
        });
        written.cannot("write the signature", path.display())?;
    }
    for number in signatures.len() + 1..=MAX_SIGNATURES {
        match fs::remove_file(path(number)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            removed => removed.cannot("remove the signature", path(number).display())?,
        }
    }
    Ok(())
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

/// The address below which the signatures of the manifest `digest` of `name` are: that of the most specific entry that
/// has one, else the default one.
fn dir(settings: &RegistrySettings, name: &Reference, digest: Digest, way: Way) -> Result<String> {
    let all = places(settings)?;
    let (full, repository) = (name.to_string(), name.repository());
    let above =
        std::iter::successors(Some(repository.as_str()), |scope| scope.rsplit_once('/').map(|(up, _)| up));
    let entries = std::iter::once(full.as_str()).chain(above).filter_map(|scope| all.docker.get(scope));
    let base = match entries.chain(&all.default).find_map(|place| place.address(way)) {
        Some(base) => base.trim_end_matches('/').to_owned(),
        None => format!("file://{}", settings.signatures.display()),
    };
    Ok(format!("{base}/{}@sha256={}", name.path(), digest.hex()))
}

/// What all files say together.
fn places(settings: &RegistrySettings) -> Result<File> {
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
    Ok(all)
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
