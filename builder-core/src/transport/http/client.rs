//! Sending requests: one client per set of TLS options, connections kept and reused.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{self, HeaderMap};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, SocksConnector, TcpConnector};
use ureq::{Agent, BodyReader, Proxy, ProxyProtocol, SendBody};

use super::chunks::LargeChunks;
use super::forward::{AbsoluteForm, ProxyResolver};
use super::resolve::Remembering;
use super::socket::SocketConnector;
use super::tls::TlsConnector;
use super::{Failure, Tls, Url, failure, forward};
use crate::error::{Error, Kind, Result};
use crate::settings::Proxies;

/// How long a name may take to become a connection.
const CONNECT: Duration = Duration::from_secs(30);

/// How long the other side may be silent in the middle of something.
const SILENCE: Duration = Duration::from_secs(120);

/// How long the headers of an answer may take: a registry may hash what it was sent before it answers.
const ANSWER: Duration = Duration::from_secs(600);

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 10;

/// The most that the headers of an answer may take.
const MAX_HEADERS: usize = 64 << 10;

/// How many connections to a server are kept when they are not used.
const IDLE: usize = 16;

/// How a server is reached; proxies as the environment names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// By itself.
    Direct,
    /// By a connection that a proxy makes: `CONNECT`, or SOCKS.
    Tunnel(String),
    /// A proxy is handed the request (RFC 9112, 3.2.2).
    Forward(String),
}

impl Way {
    /// The error with a hint, where somebody stands between who may be at fault.
    fn tell(&self, error: Error) -> Error {
        let (Way::Tunnel(text) | Way::Forward(text)) = self else { return error };
        // Without the login that may be in it.
        let Ok(proxy) = parse_proxy(text) else { return error };
        let place = format!("{}:{}", proxy.host(), proxy.port());
        error.hint(format!(
            "the way there is through the proxy `{place}`: see what https_proxy, http_proxy and no_proxy are set to"
        ))
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// What is sent along.
pub(crate) enum Body<'a> {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(&'a [u8]),
    /// All that can be read; in chunks where the length is not known. Can be sent only once.
    Stream(&'a mut dyn Read, Option<u64>),
}

/// One request.
pub(crate) struct Request<'a> {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    /// The `Authorization` header: dropped at the first redirect to another server.
    pub authorization: Option<String>,
    /// Another server named this address: it is shown no client certificate.
    pub stranger: bool,
    pub body: Body<'a>,
}

impl Request<'_> {
    /// A request for `url` without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Request { method, url, headers: Vec::new(), authorization: None, stranger: false, body: Body::Empty }
    }

    /// With one more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer, whatever its status says.
pub(crate) struct Response {
    /// The status code.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: Url,
    headers: HeaderMap,
    body: BodyReader<'static>,
}

impl Response {
    /// A header's value, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header that are text.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// How many bytes the body has, where the server says so.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// How long the server asks to wait: `Retry-After` in seconds, or a date (RFC 9110, 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let then = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        let wait = then.as_second() - jiff::Timestamp::now().as_second();
        Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
    }

    /// The whole body, which must not have more than `limit` bytes.
    pub fn bytes(self, limit: u64) -> Result<Vec<u8>, Failure> {
        let too_large = |url: &Url| {
            Failure::Lasting(
                Error::corrupt(format!("cannot read `{url}`"))
                    .because(format!("the answer is larger than {limit} bytes")),
            )
        };
        if self.length().is_some_and(|length| length > limit) {
            return Err(too_large(&self.url));
        }
        let mut bytes = Vec::new();
        let url = self.url.clone();
        if let Err(error) = self.body.take(limit + 1).read_to_end(&mut bytes) {
            return Err(cut(&url, &error));
        }
        if bytes.len() as u64 > limit { Err(too_large(&url)) } else { Ok(bytes) }
    }

    /// The first bytes of the body, for a message; what goes wrong meanwhile is left out.
    pub fn excerpt(self, limit: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.body.take(limit).read_to_end(&mut bytes);
        bytes
    }

    /// The body, as it comes.
    pub fn into_reader(self) -> impl Read + Send + use<> {
        self.body
    }
}

/// A failed read of the body of `url`.
pub(super) fn cut(url: &Url, error: &io::Error) -> Failure {
    let error = Error::new(Kind::Io, format!("cannot read `{url}`")).because(failure::of_read(error));
    Failure::Passing { error, wait: None }
}

/// Sends requests with one set of TLS options. Any number of threads may use it at once.
pub(crate) struct Client {
    tls: Tls,
    proxies: Proxies,
    /// The one socket that all requests go to, whatever host they name.
    socket: Option<PathBuf>,
    /// By whether the client certificate is shown, and the way.
    agents: Mutex<BTreeMap<(bool, Way), Agent>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Client {
    /// A client; nothing is read or connected before the first request.
    pub fn new(tls: Tls, proxies: Proxies) -> Self {
        Client { tls, proxies, socket: None, agents: Mutex::new(BTreeMap::new()) }
    }

    /// A client of whoever listens on a socket of this machine.
    pub fn of_socket(path: PathBuf) -> Self {
        Client { socket: Some(path), ..Client::new(Tls::default(), Proxies::default()) }
    }

    /// Sends a request without body and follows redirects. To another server go no credentials, `https` never becomes
    /// `http`, and what is asked for stays what it was.
    pub fn follow(&self, request: Request<'_>) -> Result<Response, Failure> {
        let first = request.url.clone();
        let Request { method, mut url, headers, authorization, stranger, .. } = request;
        for _ in 0..=MAX_REDIRECTS {
            let stranger = stranger || !first.same_origin(&url);
            let authorization = authorization.clone().filter(|_| !stranger);
            let (url_now, headers) = (url.clone(), headers.clone());
            let next = Request { method, url: url_now, headers, authorization, stranger, body: Body::Empty };
            let response = self.send(next)?;
            let target = match response.status {
                301 | 302 | 303 | 307 | 308 => response.header("location"),
                _ => None,
            };
            let Some(target) = target else { return Ok(response) };
            let refuse = |error: Error| {
                Failure::Lasting(error.hint("ask whoever runs that server; its redirects lead astray"))
            };
            let sentence = || format!("cannot follow the redirect of `{url}`");
            let target =
                url.join(target).map_err(|cause| refuse(Error::corrupt(sentence()).because(cause)))?;
            if url.is_secure() && !target.is_secure() {
                return Err(refuse(
                    Error::new(Kind::Denied, sentence())
                        .because(format!("it leads from https to plain http, to `{}`", target.host())),
                ));
            }
            url = target;
        }
        Err(Failure::Lasting(
            Error::corrupt(format!("cannot read `{first}`"))
                .because(format!("it redirects more than {MAX_REDIRECTS} times")),
        ))
    }

    /// Sends one request to exactly its address: a redirect is an answer like any other.
    pub fn send(&self, request: Request<'_>) -> Result<Response, Failure> {
        let Request { method, url, headers, authorization, stranger, body } = request;
        let host = match &self.socket {
            Some(path) => path.display().to_string(),
            None => format!("{}:{}", url.host(), url.port()),
        };
        let way = self.way(&url)?;
        let agent = self.agent(&way, !stranger)?;
        let mut built = http::Request::builder().method(method.http()).uri(url.uri().clone());
        for (name, value) in &headers {
            built = built.header(*name, value);
        }
        if let Some(authorization) = &authorization {
            built = built.header("authorization", authorization);
        }
        if let Way::Forward(proxy) = &way
            && let Some(login) = parse_proxy(proxy).ok().as_ref().and_then(forward::login)
        {
            built = built.header("proxy-authorization", login);
        }
        let invalid = |_| {
            // The header's text stays out of the message: it may be a secret.
            Failure::Lasting(
                Error::invalid(format!("cannot ask `{host}`"))
                    .because("a header has characters that none may have"),
            )
        };
        let answer = match body {
            Body::Empty if matches!(method, Method::Get | Method::Head | Method::Delete) => {
                agent.run(built.body(()).map_err(invalid)?)
            }
            Body::Empty => agent.run(built.body(&[] as &[u8]).map_err(invalid)?),
            Body::Bytes(bytes) => agent.run(built.body(bytes).map_err(invalid)?),
            Body::Stream(reader, length) => {
                if let Some(length) = length {
                    built = built.header("content-length", length);
                }
                agent.run(built.body(SendBody::from_reader(reader)).map_err(invalid)?)
            }
        };
        let failed = |error| Failure::of_exchange(&host, error).under(|error| way.tell(error));
        let (parts, body) = answer.map_err(failed)?.into_parts();
        Ok(Response { status: parts.status.as_u16(), url, headers: parts.headers, body: body.into_reader() })
    }

    /// The way to a server: what is plain is handed to a proxy that is spoken to plainly, for everything else it is
    /// asked for a connection.
    fn way(&self, url: &Url) -> Result<Way, Failure> {
        let Some(text) = self.proxies.choose(url) else { return Ok(Way::Direct) };
        let proxy = parse_proxy(text).map_err(Failure::Lasting)?;
        if !url.is_secure() && matches!(proxy.protocol(), ProxyProtocol::Http) {
            return Ok(Way::Forward(text.to_owned()));
        }
        Ok(Way::Tunnel(text.to_owned()))
    }

    fn agent(&self, way: &Way, identify: bool) -> Result<Agent, Failure> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&(identify, way.clone())) {
            return Ok(agent.clone());
        }
        let through = match way {
            Way::Tunnel(text) => Some(parse_proxy(text).map_err(Failure::Lasting)?),
            _ => None,
        };
        let kept = if matches!(way, Way::Forward(_)) { 0 } else { IDLE };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("kiln/", env!("CARGO_PKG_VERSION")))
            .proxy(through)
            .timeout_connect(Some(CONNECT))
            .timeout_resolve(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .max_response_header_size(MAX_HEADERS)
            .max_idle_connections_per_host(kept)
            .build();
        let agent = match (&self.socket, way) {
            (Some(path), _) => {
                Agent::with_parts(config, SocketConnector(path.clone()), DefaultResolver::default())
            }
            (None, Way::Forward(text)) => {
                let proxy = parse_proxy(text).map_err(Failure::Lasting)?;
                let chain = ().chain(TcpConnector::default()).chain(AbsoluteForm).chain(LargeChunks);
                Agent::with_parts(config, chain, ProxyResolver::new(proxy.uri().clone()))
            }
            (None, _) => {
                let chain = ().chain(ConnectProxyConnector::default()).chain(SocksConnector::default());
                let chain = chain.chain(TcpConnector::default());
                let chain = chain.chain(TlsConnector::new(self.tls.clone(), identify)).chain(LargeChunks);
                Agent::with_parts(config, chain, Remembering::default())
            }
        };
        agents.insert((identify, way.clone()), agent.clone());
        Ok(agent)
    }
}

/// Reads `[SCHEME://][user:password@]host[:port]`; what it says is in no message, since it may hold a password. The
/// schemes are Go's: `http`, `https`, and `socks5` or `socks5h`, which both leave it to the proxy to find the server.
fn parse_proxy(text: &str) -> Result<Proxy> {
    let text = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("socks5") => format!("socks5h://{rest}"),
        _ => text.to_owned(),
    };
    let proxy = Proxy::new(&text).ok().filter(|proxy| {
        matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https | ProxyProtocol::Socks5h)
    });
    proxy.ok_or_else(|| {
        Error::invalid("cannot use the proxy that is set")
            .because("it is no address of the form http://HOST:PORT, nor one of https:// or socks5://")
            .hint("see what https_proxy and http_proxy are set to: env | grep -i proxy")
    })
}

impl Method {
    fn http(self) -> http::Method {
        match self {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Patch => http::Method::PATCH,
            Method::Delete => http::Method::DELETE,
        }
    }
}
