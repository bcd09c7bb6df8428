//! Files from `http://` and `https://` addresses.
//!
//! A file gets mode 0600 and the time of `Last-Modified`, or of the epoch: what other builders give it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::{Fetch, Fetched};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::oci::Digest;
use crate::transport::http::{Client, Download, Failure, Method, Request, Response, Url};
use crate::tree::{RelPath, Root, Timestamp};

/// How many bytes are moved at a time.
const PIECE: usize = 128 * 1024;

/// What a file is called whose address has no name.
const NAMELESS: &str = "download";

/// Whether `source` is an address.
pub(super) fn is_address(source: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| source.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Fetches the file at `source` into the directory `dir`, under the last part of its path.
pub(super) fn fetch(
    source: &str,
    checksum: Option<&str>,
    how: &Fetch,
    dir: &Path,
    reporter: &dyn Reporter,
) -> Result<Fetched> {
    let (address, _) = source.split_once('#').unwrap_or((source, ""));
    let url = Url::parse(address).cannot("fetch", source)?;
    let expected = checksum.map(str::parse::<Digest>).transpose().map_err(|cause| {
        Error::invalid(format!("cannot check `{source}`"))
            .because(cause)
            .hint("a checksum is sha256: and 64 hexadecimal digits")
    })?;
    let client = Client::new(how.tls.clone(), how.proxies.clone());
    let mut modified = None;
    let first = how.retry.run(reporter, &format!("fetching {url}"), || ask(&client, &url, 0, None))?;
    if first.length().is_some_and(|length| length > how.max_bytes) {
        return Err(too_large(source, how));
    }
    if let Some(text) = first.header("last-modified") {
        modified = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    }
    let (tag, end) = (first.header("etag").map(str::to_owned), first.length());
    let mut first = Some(first);
    // A part of another version of the file would be worse than none.
    let tag = tag.filter(|tag| !tag.starts_with("W/"));
    let whole = tag.is_some() || checksum.is_some();
    let mut retry = how.retry;
    if !whole {
        retry.times = 0;
    }
    let body = Download::new(format!("`{url}`"), 0, end, retry, reporter, |from| match first.take() {
        Some(first) if from == 0 => Ok(first),
        _ => ask(&client, &url, from, tag.as_deref()),
    });
    let name = name_of(&url);
    let path = dir.join(std::ffi::OsStr::new(&name));
    let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.cannot("make", path.display())?;
    let digest = match save(body, &mut file, how).cannot("fetch", source)? {
        Saved::Whole(digest) => digest,
        Saved::TooLarge => return Err(too_large(source, how)),
        Saved::TooSlow => {
            return Err(Error::new(Kind::Io, format!("cannot fetch `{source}`"))
                .because(format!("it takes longer than {} s", how.patience.as_secs()))
                .hint("fetch it with a program made for that, and add the file"));
        }
    };
    if let Some(expected) = expected.filter(|expected| *expected != digest) {
        return Err(Error::corrupt(format!("cannot use `{source}`"))
            .because(format!("its content has the digest {digest}, and not {expected}"))
            .hint(
                "check the address; if the file was changed on purpose, give its new digest to --checksum",
            ));
    }
    let seconds = modified.map_or(0, jiff::Timestamp::as_second);
    let root = Root::open_host(dir).cannot("open", dir.display())?;
    Ok(Fetched {
        path,
        root: Arc::new(root),
        name: RelPath::root().join(name),
        time: Some(Timestamp::from_seconds(seconds)),
        is_file: true,
    })
}

fn ask(client: &Client, url: &Url, from: u64, tag: Option<&str>) -> Result<Response, Failure> {
    let mut request = Request::new(Method::Get, url.clone());
    // As it is: what another encoding would give is not what the address names.
    request = request.header("Accept-Encoding", "identity");
    if from > 0 {
        request = request.header("Range", format!("bytes={from}-"));
        if let Some(tag) = tag {
            request = request.header("If-Range", tag);
        }
    }
    let response = client.follow(request)?;
    let status = response.status;
    let error = |kind| {
        Error::new(kind, format!("cannot fetch `{url}`")).because(format!("the server answers {status}"))
    };
    match status {
        200..=299 => Ok(response),
        429 | 500 | 502 | 503 | 504 => {
            let wait = response.retry_after();
            Err(Failure::Passing { error: error(Kind::Io), wait })
        }
        401 | 403 => Err(Failure::Lasting(error(Kind::Denied))),
        404 | 410 => Err(Failure::Lasting(error(Kind::NotFound))),
        _ => Err(Failure::Lasting(error(Kind::Io))),
    }
}

/// What came of writing a body down.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saved {
    /// All of it, with this digest.
    Whole(Digest),
    /// There is more than the bound.
    TooLarge,
    /// It has taken longer than the bound, and was still coming.
    TooSlow,
}

/// Writes all of `body`, within the bounds of `how`.
pub(super) fn save(mut body: impl Read, file: &mut File, how: &Fetch) -> std::io::Result<Saved> {
    let begun = Instant::now();
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut saved = 0;
    loop {
        let count = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        saved += count as u64;
        if saved > how.max_bytes {
            return Ok(Saved::TooLarge);
        }
        if begun.elapsed() > how.patience {
            return Ok(Saved::TooSlow);
        }
        hasher.update(&piece[..count]);
        file.write_all(&piece[..count])?;
    }
    Ok(Saved::Whole(Digest::from_bytes(hasher.finalize().into())))
}

fn too_large(source: &str, how: &Fetch) -> Error {
    Error::new(Kind::Unsupported, format!("cannot fetch `{source}`"))
        .because(format!("it is larger than {} bytes", how.max_bytes))
        .hint("fetch it with a program made for that, and add the file")
}

/// The last part of the path, decoded; of an address without one a name that says so.
fn name_of(url: &Url) -> std::ffi::OsString {
    let path = url.path_and_query().split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let mut name = Vec::with_capacity(last.len());
    let mut rest = last.as_bytes();
    while let [byte, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *byte == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(code) => {
                name.push(code);
                rest = &after[2..];
            }
            None => {
                name.push(*byte);
                rest = after;
            }
        }
    }
    let odd = name.contains(&b'/') || name.contains(&0) || matches!(name.as_slice(), b"" | b"." | b"..");
    if odd || name.len() > 255 { NAMELESS.into() } else { std::ffi::OsString::from_vec(name) }
}
