//! What is asked of the daemon, and what its answers say.

use std::io::Read;

use serde::Deserialize;

use super::host::Host;
use crate::error::{Error, Kind, Result};
use crate::name::DaemonImage;
use crate::oci::Digest;
use crate::settings::DaemonSettings;
use crate::transport::http::{Body, Method, Request, Response};
use crate::transport::registry::Access;

/// The largest answer that is not an archive, bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// As much of an answer that is an error is read, bytes.
const MAX_MESSAGE: u64 = 64 << 10;

/// How many of its images are looked at for layers it has.
const MAX_IMAGES: usize = 1000;

/// What to do where TLS does not come about.
const CERTIFICATES: &str =
    "name the directory with its ca.pem, cert.pem and key.pem: DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=DIR";

/// A daemon. Nothing is asked before it is needed.
pub(crate) struct Daemon(Host);

/// One image in the list of all.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
}

/// What is read of the description of one image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(rename = "RootFS")]
    root: DescribedRoot,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedRoot {
    #[serde(default)]
    layers: Vec<String>,
}

/// What is read of the description of the daemon.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    /// Pairs of a word and what it is; Docker's own stores of layers name no type.
    #[serde(default)]
    driver_status: Option<Vec<Vec<String>>>,
}

/// One line of what it says while it loads an archive.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    error: Option<String>,
}

/// An answer that is an error.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Daemon {
    /// The daemon that flag, environment or habit name.
    pub fn find(settings: &DaemonSettings, access: &Access) -> Result<Self> {
        Host::find(settings, access).map(Daemon)
    }

    /// How messages call it.
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    /// The archive of one image, as it comes.
    pub fn archive(&self, image: &DaemonImage) -> Result<impl Read + Send + use<>> {
        let response = self.ask(Method::Get, &format!("/images/{}/get", image.for_api()), Body::Empty)?;
        if response.status == 200 {
            return Ok(response.into_reader());
        }
        let sentence = format!("cannot read the image `{image}` of the Docker daemon");
        let error = self.refused(sentence, response);
        Err(match error.kind() {
            Kind::NotFound => error.hint("see which images it has: docker images"),
            _ => error,
        })
    }

    /// Has it take an archive. Returns when the images in it have their names.
    pub fn load(&self, archive: &mut dyn Read) -> Result<()> {
        let sentence = || format!("cannot load the image into the Docker daemon at `{}`", self.shown());
        let response = self.ask(Method::Post, "/images/load?quiet=0", Body::Stream(archive, None))?;
        if response.status != 200 {
            return Err(self.refused(sentence(), response));
        }
        let lines = serde_json::Deserializer::from_reader(response.into_reader().take(MAX_ANSWER));
        for line in lines.into_iter::<Said>() {
            let said = line.map_err(|cause| Error::corrupt(sentence()).because(cause))?;
            if let Some(error) = said.error {
                return Err(Error::new(Kind::Io, sentence()).because(format!("the daemon says: {error}")));
            }
        }
        Ok(())
    }

    /// The layers of each image it has, the lowest first, where a layer that it has may be left out of an archive.
    ///
    /// Docker looks for each layer by all below it and reads the archive only for what it does not find; that holds for
    /// its own stores of layers, and neither for containerd's nor for other programs that speak this language.
    pub fn layers(&self) -> Result<Vec<Vec<Digest>>> {
        let about = self.ask(Method::Get, "/info", Body::Empty)?;
        if !about.header("server").is_some_and(|server| server.starts_with("Docker/")) {
            return Ok(Vec::new());
        }
        let about: About = self.parse(about)?;
        let is_of_containerd = |pair: &Vec<String>| pair.iter().any(|word| word.contains("containerd"));
        if about.driver_status.is_none_or(|status| status.iter().any(is_of_containerd)) {
            return Ok(Vec::new());
        }
        let listed: Vec<Listed> = self.parse(self.ask(Method::Get, "/images/json", Body::Empty)?)?;
        let mut all = Vec::new();
        for image in listed.iter().take(MAX_IMAGES) {
            // Nothing else may become a part of the path.
            let Ok(id) = image.id.parse::<Digest>() else { continue };
            let response = self.ask(Method::Get, &format!("/images/{id}/json"), Body::Empty)?;
            // It may be gone meanwhile.
            if response.status == 200 {
                let described: Described = self.parse(response)?;
                all.push(described.root.layers.iter().map_while(|layer| layer.parse().ok()).collect());
            }
        }
        Ok(all)
    }

    fn ask(&self, method: Method, path: &str, body: Body<'_>) -> Result<Response> {
        let mut request = Request::new(method, self.0.base.join(path)?);
        if matches!(body, Body::Stream(..)) {
            request = request.header("content-type", "application/x-tar");
        }
        request.body = body;
        self.0.client.send(request).map_err(|failure| self.unreachable(failure.error()))
    }

    fn unreachable(&self, error: Error) -> Error {
        let kind = match error.os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::ACCESS) => Kind::Denied,
            _ => error.kind(),
        };
        let sentence = format!("cannot talk to the Docker daemon at `{}`", self.shown());
        let hint = match kind {
            _ if self.0.base.is_secure() && error.os_error().is_none() => CERTIFICATES.to_owned(),
            Kind::Denied => "become a member of the socket's group, docker, or run this as root".to_owned(),
            _ => format!("see whether it runs there: docker -H {} version", self.shown()),
        };
        Error::new(kind, sentence).because(innermost(&error)).hint(hint)
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, response: Response) -> Result<T> {
        let sentence = || format!("cannot read the answer of the Docker daemon at `{}`", self.shown());
        if response.status != 200 {
            return Err(self.refused(sentence(), response));
        }
        let bytes = response
            .bytes(MAX_ANSWER)
            .map_err(|failure| Error::corrupt(sentence()).because(failure.error()))?;
        serde_json::from_slice(&bytes).map_err(|cause| Error::corrupt(sentence()).because(cause))
    }

    fn refused(&self, sentence: String, response: Response) -> Error {
        let status = response.status;
        let kind = if status == 404 { Kind::NotFound } else { Kind::Io };
        let text = response.excerpt(MAX_MESSAGE);
        let message = serde_json::from_slice(&text).map(|refusal: Refusal| refusal.message);
        let message = message.unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&text);
            let first = text.lines().next().filter(|line| !line.trim().is_empty());
            first.map_or_else(|| format!("status {status}"), |line| format!("status {status}, {line}"))
        });
        let shown: String = message.chars().take(500).collect();
        let error = Error::new(kind, sentence).because(format!("the daemon says: {}", shown.escape_debug()));
        // As Go's servers say that they want TLS.
        if status == 400 && shown.contains("HTTPS server") { error.hint(CERTIFICATES) } else { error }
    }
}

/// What lies at the bottom of an error, in words; of a file of ours that is unfit, which one.
fn innermost(error: &Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(cause) = inner.source() {
        inner = cause;
        if let Some(unfit) = inner.downcast_ref::<Error>().filter(|own| own.kind() == Kind::Invalid) {
            return format!("{unfit:?}");
        }
    }
    inner.to_string()
}
