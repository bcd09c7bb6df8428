//! What is sent to a repository: blobs in one pass, also where their digest is known only at the end, and manifests.
//!
//! A blob is opened (`POST`), streamed (`PATCH`) and closed under its digest (`PUT`), as the distribution specification
//! has it. What was streamed last is kept, so that an upload that was cut goes on where the registry has it.

use std::collections::VecDeque;
use std::error::Error as _;
use std::fmt;
use std::io::{self, Read};

use super::repository::location;
use super::{Repository, answer, referrers};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::oci::{Descriptor, Digest};
use crate::transport::http::{Body, Failure, Method, Request, Response, Url, escape};
use crate::transport::sink::Outgoing;
use crate::transport::source::RawManifest;

/// How much of a stream is kept to be sent again: what may be between us and the registry's disk.
const KEPT: usize = 8 << 20;

/// Blobs up to this size are sent with the closing request.
const SMALL: u64 = 256 << 10;

/// What came of asking for an upload.
enum Opened {
    /// The registry has taken the blob from another repository.
    Mounted,
    /// It waits for the blob here.
    At(Url),
}

impl Repository<'_> {
    /// Has the registry take a blob from another repository of its own; `false` if it does not.
    pub fn mount(&self, blob: &Descriptor, from: &str) -> Result<bool> {
        let query = format!("?mount={}&from={}", escape(&blob.digest.to_string()), escape(from));
        let mut scopes = self.scopes.clone();
        scopes.push(format!("repository:{from}:pull"));
        let sentence = || format!("cannot send the blob `{}`", blob.digest);
        // Whoever may not read there, or whose registry mounts nothing, sends the blob: no failure is final here.
        match self.open(&query, &scopes, &sentence) {
            Ok(Opened::Mounted) => Ok(true),
            Ok(Opened::At(url)) => {
                self.cancel(&url);
                Ok(false)
            }
            Err(_) => Ok(false),
        }
    }

    /// Sends a blob.
    pub fn put_blob(&self, blob: &mut Outgoing<'_>) -> Result<()> {
        if let Some(known) = blob.known().filter(|known| known.size <= SMALL).cloned() {
            return self.put_small(blob, &known);
        }
        let name = blob.known().map_or_else(|| "a new layer".to_owned(), |known| known.digest.to_string());
        let sentence = || format!("cannot send the blob `{name}` to `{}`", self.name().repository());
        let what = format!("sending the blob {name}");
        let opened = self.again(&what, || self.open("", &self.scopes, &sentence))?;
        let Opened::At(mut url) = opened else {
            return Err(
                Error::corrupt(sentence()).because("the registry says it has what it was not told of yet")
            );
        };
        let sent = self.stream(blob, &mut url, &what, &sentence);
        let closed = sent.and_then(|resumed| {
            let whole = blob.finish()?;
            let closed = self.close(&url, whole.digest, &[], &what, &sentence);
            if resumed {
                closed.map_err(|error| Error::new(Kind::Io, sentence()).because(Cut(error)))
            } else {
                closed
            }
        });
        if closed.is_err() {
            self.cancel(&url);
        }
        closed
    }

    /// Sends a blob that fits into memory, as often as it takes.
    fn put_small(&self, blob: &mut Outgoing<'_>, known: &Descriptor) -> Result<()> {
        let sentence =
            || format!("cannot send the blob `{}` to `{}`", known.digest, self.name().repository());
        let mut bytes = Vec::new();
        let read = blob.by_ref().take(SMALL + 1).read_to_end(&mut bytes);
        read.map_err(|cause| unreadable(cause, sentence()))?;
        blob.finish()?;
        let what = format!("sending the blob {}", known.digest);
        self.again(&what, || match self.open("", &self.scopes, &sentence)? {
            Opened::Mounted => Ok(()),
            Opened::At(url) => {
                let closed = self.try_close(&url, known.digest, &bytes, &sentence);
                if closed.is_err() {
                    self.cancel(&url);
                }
                closed
            }
        })
    }

    /// Asks for an upload.
    fn open(&self, query: &str, scopes: &[String], sentence: &dyn Fn() -> String) -> Result<Opened, Failure> {
        let path = self.path(&format!("blobs/uploads/{query}"));
        let call = super::server::Call { method: Method::Post, path: &path, headers: &[], body: &[], scopes };
        let response = self.server.call(&call, self.login.as_ref())?;
        match response.status {
            201 => Ok(Opened::Mounted),
            202 => Ok(Opened::At(location(&response, sentence)?)),
            _ => Err(answer::failure(response, sentence(), self.host())),
        }
    }

    /// Streams the whole of a blob to `url`, which follows what the registry says. Goes on where it was cut; gives
    /// whether it was.
    fn stream(
        &self,
        blob: &mut Outgoing<'_>,
        url: &mut Url,
        what: &str,
        sentence: &dyn Fn() -> String,
    ) -> Result<bool> {
        let size = blob.known().map(|known| known.size);
        let mut source = Replay::new(blob);
        let (mut tried, mut resumed) = (0, false);
        loop {
            let begin = source.position();
            let failure = match self.patch(&mut source, url, size, sentence) {
                Ok(next) => {
                    *url = next;
                    return Ok(resumed);
                }
                Err(failure) => failure,
            };
            // Who comes forward has not tried in vain.
            if source.position() > begin + KEPT as u64 {
                tried = 0;
            }
            if let Some(cause) = source.failed.take() {
                return Err(unreadable(cause, sentence()));
            }
            let (error, wait) = match failure {
                Failure::Passing { error, wait } if tried < self.retry.times => (error, wait),
                // Not every registry can go on with what it says it can.
                failure if resumed => {
                    return Err(Error::new(Kind::Io, sentence()).because(Cut(failure.error())));
                }
                failure => return Err(failure.error()),
            };
            (tried, resumed) = (tried + 1, true);
            let wait = self.retry.wait(tried, wait);
            self.reporter.report(Event::warning(format!("{what} was cut, going on in {wait:?}: {error:?}")));
            std::thread::sleep(wait);
            let offset = self.offset(url).filter(|offset| source.rewind(*offset));
            if offset.is_none() {
                return Err(Error::new(Kind::Io, sentence())
                    .because(Cut(error))
                    .hint("push again: what the registry has already is not sent a second time"));
            }
        }
    }

    /// Sends what the source still has; gives where to go on.
    fn patch(
        &self,
        source: &mut Replay<'_, '_>,
        url: &Url,
        size: Option<u64>,
        sentence: &dyn Fn() -> String,
    ) -> Result<Url, Failure> {
        let at = source.position();
        let mut request =
            Request::new(Method::Patch, url.clone()).header("content-type", "application/octet-stream");
        if let Some(size) = size.filter(|_| at > 0) {
            request = request.header("content-range", format!("{at}-{}", size.saturating_sub(1)));
        }
        request.body = Body::Stream(source, size.map(|size| size.saturating_sub(at)));
        let response = self.server.send_to(request, &self.scopes, self.login.as_ref())?;
        match response.status {
            200..=299 => location(&response, sentence),
            _ => Err(answer::failure(response, sentence(), self.host())),
        }
    }

    /// How many bytes of an upload the registry has; where to go on is put into `url`. `None` if it does not say.
    fn offset(&self, url: &mut Url) -> Option<u64> {
        let request = Request::new(Method::Get, url.clone());
        let response = self.server.send_to(request, &self.scopes, self.login.as_ref()).ok()?;
        if response.status != 204 {
            return None;
        }
        let last: u64 =
            response.header("range")?.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
        if let Ok(next) = location(&response, String::new) {
            *url = next;
        }
        // `0-0` stands for nothing as well as for one byte. If it was one, the digest will be wrong, and the blob is
        // sent again from its beginning.
        Some(if last == 0 { 0 } else { last + 1 })
    }

    /// Closes an upload under its digest, with the last bytes; once more if the answer was cut.
    fn close(
        &self,
        url: &Url,
        digest: Digest,
        bytes: &[u8],
        what: &str,
        sentence: &dyn Fn() -> String,
    ) -> Result<()> {
        self.again(what, || {
            let closed = self.try_close(url, digest, bytes, sentence);
            match closed {
                // The first attempt may have been heard though its answer was not.
                Err(Failure::Lasting(error)) if error.kind() == Kind::NotFound => {
                    match self.has(digest, None) {
                        Ok(true) => Ok(()),
                        _ => Err(Failure::Lasting(error)),
                    }
                }
                closed => closed,
            }
        })
    }

    fn try_close(
        &self,
        url: &Url,
        digest: Digest,
        bytes: &[u8],
        sentence: &dyn Fn() -> String,
    ) -> Result<(), Failure> {
        let url =
            url.with_query(&format!("digest={}", escape(&digest.to_string()))).map_err(Failure::Lasting)?;
        let mut request = Request::new(Method::Put, url).header("content-type", "application/octet-stream");
        request.body = if bytes.is_empty() { Body::Empty } else { Body::Bytes(bytes) };
        let response = self.server.send_to(request, &self.scopes, self.login.as_ref())?;
        match response.status {
            200..=299 => Ok(()),
            _ => Err(answer::failure(response, sentence(), self.host())),
        }
    }

    /// Lets the registry forget an upload. What it cannot forget it sweeps some day.
    fn cancel(&self, url: &Url) {
        let _ =
            self.server.send_to(Request::new(Method::Delete, url.clone()), &self.scopes, self.login.as_ref());
    }

    /// Sends a manifest under `reference`: a tag or a digest.
    pub fn put_manifest(&self, manifest: &RawManifest, reference: &str) -> Result<()> {
        let sentence = || format!("cannot write the manifest of `{}`", self.name());
        let headers = [("content-type", manifest.media_type.clone())];
        let path = self.path(&format!("manifests/{reference}"));
        let what = format!("writing the manifest of {}", self.name());
        let listed = self.again(&what, || {
            let response = self.call(Method::Put, &path, &headers, &manifest.bytes)?;
            match response.status {
                200..=299 => {
                    self.same_digest(&response, manifest.digest(), &sentence)?;
                    Ok(referrers::is_listed(&response))
                }
                _ if manifest.media_type.starts_with("application/vnd.oci.") => {
                    Err(answer::of_oci_manifest(response, sentence(), self.host()))
                }
                _ => Err(answer::failure(response, sentence(), self.host())),
            }
        })?;
        self.list_under_subject(manifest, listed)
    }

    /// Fails if the registry says it stored something else.
    fn same_digest(
        &self,
        response: &Response,
        sent: Digest,
        sentence: &dyn Fn() -> String,
    ) -> Result<(), Failure> {
        match response.header("docker-content-digest") {
            Some(stored) if stored.starts_with("sha256:") && stored != sent.to_string() => {
                Err(Failure::Lasting(
                    Error::corrupt(sentence())
                        .because(format!("the registry stored {stored:.80} in place of {sent}")),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Why an upload ended that may work from its beginning: the connection was cut, and the registry kept nothing.
#[derive(Debug)]
struct Cut(Error);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Cut {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// Whether an upload that failed like this may work from its beginning.
pub(super) fn is_cut(error: &Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.is::<Cut>() {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The failure of a blob's own source, in the middle of an upload.
fn unreadable(cause: io::Error, sentence: String) -> Error {
    match cause.downcast::<Error>() {
        Ok(own) => Error::new(own.kind(), sentence).because(own),
        Err(cause) => Error::new(Kind::Io, sentence).because(cause),
    }
}

/// Reads a blob and keeps what was read last, to give it a second time.
struct Replay<'r, 'b> {
    source: &'r mut Outgoing<'b>,
    kept: VecDeque<u8>,
    /// How many bytes were read of the source.
    read: u64,
    /// How many of those kept are still to be given again.
    again: usize,
    /// Why the source could not be read.
    failed: Option<io::Error>,
}

impl<'r, 'b> Replay<'r, 'b> {
    fn new(source: &'r mut Outgoing<'b>) -> Self {
        Replay { source, kept: VecDeque::new(), read: 0, again: 0, failed: None }
    }

    /// The offset of the next byte that is given.
    fn position(&self) -> u64 {
        self.read - self.again as u64
    }

    /// Goes back to `offset`; `false` if what was there is not kept, or was never read.
    fn rewind(&mut self, offset: u64) -> bool {
        match self.read.checked_sub(offset).map(usize::try_from) {
            Some(Ok(back)) if back <= self.kept.len() => {
                self.again = back;
                true
            }
            _ => false,
        }
    }
}

impl Read for Replay<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.again > 0 {
            let start = self.kept.len() - self.again;
            let (front, back) = self.kept.as_slices();
            let rest = if start < front.len() { &front[start..] } else { &back[start - front.len()..] };
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            self.again -= count;
            return Ok(count);
        }
        let count = match self.source.read(into) {
            Ok(count) => count,
            Err(error) => {
                let said = error.to_string();
                self.failed = Some(error);
                return Err(io::Error::other(said));
            }
        };
        let over = (self.kept.len() + count).saturating_sub(KEPT).min(self.kept.len());
        self.kept.drain(..over);
        self.kept.extend(&into[..count]);
        self.read += count as u64;
        Ok(count)
    }
}
