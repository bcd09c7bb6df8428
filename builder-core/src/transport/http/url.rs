//! Addresses: `http` and `https` only, and how one is read against another.

use std::fmt;

use ureq::http::Uri;
use ureq::http::uri::{Authority, PathAndQuery, Scheme};

use crate::error::{Error, Result};

/// The longest address that is read; longer ones are no honest `Location`.
const MAX_LENGTH: usize = 8 << 10;

/// An absolute `http` or `https` address without user, password and fragment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(Uri);

impl Url {
    /// Reads an absolute address.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            // What stands before an `@` may be a password, and what follows a `?` a signature.
            let shown: String =
                text.split(['@', '?', '#']).next_back().unwrap_or("").chars().take(100).collect();
            let shown = if text.contains(['@', '?', '#']) { "the address" } else { &shown };
            Error::invalid(format!("cannot use `{shown}`")).because(why.to_owned())
        };
        if text.len() > MAX_LENGTH {
            return Err(refuse("it is longer than any address should be"));
        }
        let text = text.split('#').next().unwrap_or(text);
        if !scheme(text)
            .is_some_and(|scheme| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
        {
            return Err(refuse("an address begins with http:// or https://"));
        }
        let uri: Uri = text.parse().map_err(|_| refuse("it is no address"))?;
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                Err(refuse("an address must hold no user and password"))
            }
            Some(authority) if !authority.host().is_empty() => Ok(Url(uri)),
            _ => Err(refuse("it names no host")),
        }
    }

    /// The address of `path`, which begins with `/`, on `host` (`name[:port]`).
    pub fn on(host: &str, secure: bool, path: &str) -> Result<Self> {
        Url::parse(&format!("{}://{host}{path}", if secure { "https" } else { "http" }))
    }

    /// Reads `location`, absolute or relative, as it stands in an answer from here.
    pub fn join(&self, location: &str) -> Result<Self> {
        if scheme(location).is_some() {
            return Url::parse(location);
        }
        let scheme = self.0.scheme_str().unwrap_or("https");
        if location.starts_with("//") {
            return Url::parse(&format!("{scheme}:{location}"));
        }
        let authority = self.0.authority().map_or("", Authority::as_str);
        let here = self.0.path();
        let path = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{here}{location}"),
            _ => format!("{}/{location}", here.rsplit_once('/').map_or("", |(above, _)| above)),
        };
        Url::parse(&format!("{scheme}://{authority}{path}"))
    }

    /// This address with `name=value` (already escaped) added to its query.
    pub fn with_query(&self, query: &str) -> Result<Self> {
        let text = self.0.to_string();
        let between = if text.contains('?') { '&' } else { '?' };
        Url::parse(&format!("{text}{between}{query}"))
    }

    /// Whether it is `https`.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    /// The host's name, without port; IPv6 without brackets. Lower case.
    pub fn host(&self) -> String {
        let host = self.0.host().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
    }

    /// The port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_secure() { 443 } else { 80 })
    }

    /// Whether both are on one server: scheme, host and port are the same.
    pub fn same_origin(&self, other: &Url) -> bool {
        self.is_secure() == other.is_secure() && self.host() == other.host() && self.port() == other.port()
    }

    /// The path and the query.
    pub fn path_and_query(&self) -> &str {
        self.0.path_and_query().map_or("/", PathAndQuery::as_str)
    }

    /// As `ureq` takes it.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

/// Without the query: it may hold a signature that gives access.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", Authority::as_str);
        write!(f, "{}://{authority}{}", self.0.scheme_str().unwrap_or(""), self.0.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands before the colon of an absolute address (RFC 3986, section 3.1).
fn scheme(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once(':')?;
    let fits = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (fits && scheme.starts_with(|first: char| first.is_ascii_alphabetic())).then_some(scheme)
}

/// Escapes a value for a query or a form: all but RFC 3986's unreserved characters.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
