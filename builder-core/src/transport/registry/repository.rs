//! One repository of a registry: manifests, blobs, tags, referrers; what is read and what is deleted.

use std::sync::Arc;

use serde::Deserialize;

use super::answer;
use super::server::{Call, Server};
use crate::auth::Credentials;
use crate::error::{Error, Kind, Result};
use crate::event::Reporter;
use crate::name::Reference;
use crate::oci::{Descriptor, Digest, MAX_MANIFEST, media_type};
use crate::transport::http::{Download, Failure, Method, Response, Retry, Url};
use crate::transport::source::RawManifest;

/// What a manifest may be, as we ask for it.
const MANIFESTS: [&str; 4] =
    [media_type::MANIFEST, media_type::INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_INDEX];

/// The most tags that are listed, and pages that they may come in.
const MAX_TAGS: usize = 1_000_000;
const MAX_PAGES: usize = 10_000;

/// A repository, reached with the credentials that belong to it.
#[derive(Clone)]
pub(crate) struct Repository<'a> {
    pub(super) server: Arc<Server>,
    pub(super) name: Reference,
    pub(super) login: Option<Credentials>,
    /// What tokens are asked for: `repository:PATH:pull` or more.
    pub(super) scopes: Vec<String>,
    pub(super) retry: Retry,
    pub(super) reporter: &'a dyn Reporter,
}

impl<'a> Repository<'a> {
    /// The image's name there.
    pub fn name(&self) -> &Reference {
        &self.name
    }

    /// `HOST[:PORT]` in names.
    pub fn host(&self) -> &str {
        self.server.host()
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name.path())
    }

    pub(super) fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Response, Failure> {
        let call = Call { method, path, headers, body, scopes: &self.scopes };
        self.server.call(&call, self.login.as_ref())
    }

    /// What names the image here: its digest, else its tag.
    fn wanted(&self) -> String {
        match self.name.digest() {
            Some(digest) => digest.to_string(),
            None => self.name.tag().unwrap_or("latest").to_owned(),
        }
    }

    /// Does `attempt`, again where that may help; `what` is told before: `reading the manifest …`.
    pub(super) fn again<T>(&self, what: &str, attempt: impl FnMut() -> Result<T, Failure>) -> Result<T> {
        let done = self.retry.run(self.reporter, what, attempt);
        done.map_err(|error| match error.kind() {
            Kind::Corrupt => answer::misled(error, self.host()),
            _ => error,
        })
    }

    /// The manifest or index the name means.
    pub fn manifest(&self) -> Result<RawManifest> {
        self.manifest_of(&self.wanted(), self.name.digest())
    }

    /// The manifest with this digest.
    pub fn manifest_by_digest(&self, digest: Digest) -> Result<RawManifest> {
        self.manifest_of(&digest.to_string(), Some(digest))
    }

    fn manifest_of(&self, wanted: &str, digest: Option<Digest>) -> Result<RawManifest> {
        let object = if digest.is_some() {
            format!("{}@{wanted}", self.name.repository())
        } else {
            self.name.to_string()
        };
        self.again(&format!("reading the manifest of {object}"), || {
            self.try_manifest(wanted, digest, &object)
        })
    }

    fn try_manifest(
        &self,
        wanted: &str,
        digest: Option<Digest>,
        object: &str,
    ) -> Result<RawManifest, Failure> {
        let sentence = || format!("cannot read the manifest of `{object}`");
        let accept = [("accept", MANIFESTS.join(", "))];
        let response = self.call(Method::Get, &self.path(&format!("manifests/{wanted}")), &accept, &[])?;
        if response.status != 200 {
            return Err(answer::failure(response, sentence(), self.host()));
        }
        let named = response
            .header("content-type")
            .map(|text| text.split(';').next().unwrap_or(text).trim().to_owned());
        let promised = response.header("docker-content-digest").map(str::to_owned);
        let bytes = response
            .bytes(MAX_MANIFEST)
            .map_err(|failure| failure.under(|cause| Error::new(cause.kind(), sentence()).because(cause)))?;
        let found = Digest::of(&bytes);
        let promised = promised.filter(|text| text.starts_with("sha256:"));
        let expected = digest.map(|digest| digest.to_string()).or(promised);
        if let Some(expected) = expected.filter(|expected| *expected != found.to_string()) {
            return Err(Failure::Lasting(
                Error::corrupt(sentence())
                    .because(format!("its content has the digest {found} in place of {expected:.80}"))
                    .hint("someone on the way has changed it, or the registry is damaged: ask another, or try again"),
            ));
        }
        let sniffed = RawManifest::sniffed(bytes).map_err(Failure::Lasting)?;
        // A manifest says what it is, or need not; the header counts where it does not, and is about manifests at all.
        let says =
            serde_json::from_slice::<Typed>(&sniffed.bytes).is_ok_and(|typed| typed.media_type.is_some());
        match named {
            Some(named) if !says && MANIFESTS.contains(&named.as_str()) => {
                Ok(RawManifest { media_type: named, bytes: sniffed.bytes })
            }
            _ => Ok(sniffed),
        }
    }

    /// The digest the name means now; `None` if there is no such image.
    pub fn digest(&self) -> Result<Option<Digest>> {
        self.digest_of(None)
    }

    /// As [`Repository::digest`], of a manifest in the repository where one is named.
    pub(super) fn digest_of(&self, manifest: Option<Digest>) -> Result<Option<Digest>> {
        let accept = [("accept", MANIFESTS.join(", "))];
        let wanted = manifest.map_or_else(|| self.wanted(), |digest| digest.to_string());
        let path = self.path(&format!("manifests/{wanted}"));
        let sentence = || format!("cannot find `{}`", self.name);
        let found = self.again(&format!("finding {}", self.name), || {
            let response = self.call(Method::Head, &path, &accept, &[])?;
            match response.status {
                200 => Ok(Some(response.header("docker-content-digest").and_then(|text| text.parse().ok()))),
                404 => Ok(None),
                _ => Err(answer::failure(response, sentence(), self.host())),
            }
        })?;
        match found {
            None => Ok(None),
            Some(Some(digest)) => Ok(Some(digest)),
            // One that does not say it has to be asked for the whole.
            Some(None) => Ok(Some(self.manifest_of(&wanted, manifest)?.digest())),
        }
    }

    /// The bytes of a blob, from `offset` on; a connection that is cut is made again. Whoever reads checks the digest.
    pub fn blob(&self, blob: &Descriptor, offset: u64) -> Download<'_> {
        let path = self.path(&format!("blobs/{}", blob.digest));
        let from = self.name.repository();
        let what = format!("{} from `{from}`", blob.digest.short());
        Download::new(what, offset, Some(blob.size), self.retry, self.reporter, move |offset| {
            let range = if offset > 0 { vec![("range", format!("bytes={offset}-"))] } else { Vec::new() };
            let response = self.call(Method::Get, &path, &range, &[])?;
            match response.status {
                200 | 206 => Ok(response),
                _ => Err(answer::failure(response, format!("cannot read it from `{from}`"), self.host())),
            }
        })
    }

    /// Whether the blob is there.
    pub fn has_blob(&self, blob: &Descriptor) -> Result<bool> {
        self.has(blob.digest, Some(blob.size))
    }

    /// Whether a blob of this digest, and of this size where it is known, is there.
    pub(super) fn has(&self, digest: Digest, size: Option<u64>) -> Result<bool> {
        let path = self.path(&format!("blobs/{digest}"));
        self.again(&format!("finding blob {digest}"), || {
            let response = self.call(Method::Head, &path, &[], &[])?;
            match response.status {
                // One of another length is damaged, and sent again.
                200 => Ok(response.length().is_none_or(|length| size.is_none_or(|size| length == size))),
                404 => Ok(false),
                _ => Err(answer::failure(response, format!("cannot find the blob `{digest}`"), self.host())),
            }
        })
    }

    /// All tags, in the registry's order.
    pub fn tags(&self) -> Result<Vec<String>> {
        let sentence = || format!("cannot list the tags of `{}`", self.name.repository());
        let mut tags = Vec::new();
        let mut path = self.path("tags/list?n=1000");
        for _ in 0..MAX_PAGES {
            let what = format!("listing the tags of {}", self.name.repository());
            let (page, next) = self.again(&what, || {
                let response = self.call(Method::Get, &path, &[], &[])?;
                match response.status {
                    200 => {}
                    404 => return Err(answer::missing(response, sentence(), "check the name: HOST/PATH")),
                    _ => return Err(answer::failure(response, sentence(), self.host())),
                }
                let next = response.header("link").and_then(next_page).map(|link| response.url.join(link));
                let next = next.transpose();
                let next =
                    next.map_err(|cause| Failure::Lasting(Error::corrupt(sentence()).because(cause)))?;
                let own = next.as_ref().is_none_or(|next| next.same_origin(&response.url));
                if !own {
                    let error = Error::corrupt(sentence()).because("the next page is on another server");
                    return Err(Failure::Lasting(error));
                }
                let bytes = response.bytes(MAX_MANIFEST)?;
                let page: Tags = serde_json::from_slice(&bytes).map_err(|_| {
                    Failure::Lasting(Error::corrupt(sentence()).because("the answer is no list of tags"))
                })?;
                Ok((page, next))
            })?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > MAX_TAGS {
                break;
            }
            match next {
                Some(next) if next.path_and_query() != path => path = next.path_and_query().to_owned(),
                _ => return Ok(tags),
            }
        }
        Err(answer::misled(Error::corrupt(sentence()).because("the list has no end"), self.host()))
    }

    /// Deletes the image the name means, by its digest: every tag of it goes. Gives the digest.
    pub fn delete(&self) -> Result<Digest> {
        let sentence = || format!("cannot delete `{}`", self.name);
        let digest = match self.name.digest() {
            Some(digest) => Some(digest),
            None => self.digest()?,
        };
        let Some(digest) = digest else {
            return Err(Error::new(Kind::NotFound, sentence())
                .because("the registry does not have it")
                .hint(format!("see what there is: kiln image tags docker://{}", self.name.repository())));
        };
        let path = self.path(&format!("manifests/{digest}"));
        self.again(&format!("deleting {}", self.name), || {
            let response = self.call(Method::Delete, &path, &[], &[])?;
            match response.status {
                200..=299 => Ok(()),
                400 | 405 => Err(Failure::Lasting(
                    Error::new(Kind::Unsupported, sentence())
                        .because("the registry deletes nothing")
                        .hint("allow it there; for docker-registry: storage.delete.enabled: true"),
                )),
                _ => Err(answer::failure(response, sentence(), self.host())),
            }
        })?;
        Ok(digest)
    }

    /// Asks the server's root whether it is a registry that lets us in, as `login` does.
    pub fn greet(&self) -> Result<()> {
        let sentence = || format!("cannot log in to `{}`", self.host());
        self.again(&format!("logging in to {}", self.host()), || {
            let response = self.call(Method::Get, "/v2/", &[], &[])?;
            match response.status {
                200 => Ok(()),
                401 | 403 => Err(Failure::Lasting(
                    Error::new(Kind::Denied, sentence())
                        .because("invalid username/password")
                        .hint(format!("try again with another one: kiln login -u USER {}", self.host())),
                )),
                404 => Err(Failure::Lasting(
                    Error::new(Kind::NotFound, sentence())
                        .because("there is no registry at that address")
                        .hint("check the name and the port: HOST:PORT"),
                )),
                _ => Err(answer::failure(response, sentence(), self.host())),
            }
        })
    }
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
}

/// The address in `Link: <…>; rel="next"`.
pub(super) fn next_page(link: &str) -> Option<&str> {
    let (address, rest) = link.strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then_some(address)
}

/// The address an answer names, of an upload. From `https` it may not lead to plain `http`.
pub(super) fn location(response: &Response, sentence: impl Fn() -> String) -> Result<Url, Failure> {
    let named = response.header("location").ok_or_else(|| {
        Failure::Lasting(Error::corrupt(sentence()).because("the registry does not say where to"))
    })?;
    let url = response
        .url
        .join(named)
        .map_err(|cause| Failure::Lasting(Error::corrupt(sentence()).because(cause)))?;
    if response.url.is_secure() && !url.is_secure() {
        return Err(Failure::Lasting(
            Error::new(Kind::Denied, sentence())
                .because(format!("the registry leads from https to plain http, to `{}`", url.host()))
                .hint("a registry behind a proxy has to know its own address: for docker-registry http.host"),
        ));
    }
    Ok(url)
}
