//! One server that holds repositories: which scheme it speaks, how it wants to be asked, and the tokens it gave.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::answer;
use super::challenge::{self, Challenge};
use super::token::{self, Ask, Token};
use crate::auth::{BearerToken, Credentials};
use crate::error::{Error, Kind, Result};
use crate::transport::http::{Body, Client, Failure, Method, Request, Response, Url};

/// A server. Connections, scheme and tokens are shared by all that speak to it.
#[derive(Debug)]
pub(crate) struct Server {
    /// `HOST[:PORT]`, as image names have it.
    host: String,
    /// The host that answers for it.
    api: String,
    client: Client,
    /// Whether plain HTTP will do where it speaks no TLS.
    insecure: bool,
    /// Whether it is the registry that a name means, and no mirror of it.
    named: bool,
    /// What is sent in place of any login.
    bearer: Option<BearerToken>,
    /// Whether it speaks TLS, once known.
    secure: OnceLock<bool>,
    /// Held by the one who finds out; whether it is known to speak no TLS, if anything.
    trying: Mutex<bool>,
    /// How often that failed, and why the last time.
    failed: Mutex<(usize, Option<Failure>)>,
    challenge: Mutex<Option<Challenge>>,
    tokens: Mutex<HashMap<String, Token>>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// One request that can be sent again.
pub(crate) struct Call<'a> {
    pub method: Method,
    /// From the root on: `/v2/…`.
    pub path: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub body: &'a [u8],
    /// What a token must allow: `repository:PATH:pull`.
    pub scopes: &'a [String],
}

impl Server {
    /// The server `api`, which is called `host` in names.
    pub fn new(
        host: String,
        api: String,
        client: Client,
        insecure: bool,
        named: bool,
        bearer: Option<BearerToken>,
    ) -> Self {
        let (secure, trying, failed) = (OnceLock::new(), Mutex::default(), Mutex::default());
        let (challenge, tokens) = (Mutex::default(), Mutex::default());
        Server { host, api, client, insecure, named, bearer, secure, trying, failed, challenge, tokens }
    }

    /// `HOST[:PORT]`, as image names have it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request, logging in where the server wants that.
    pub fn call(&self, call: &Call<'_>, login: Option<&Credentials>) -> Result<Response, Failure> {
        let on = |secure| Url::on(&self.api, secure, call.path).map_err(Failure::Lasting);
        match self.secure.get() {
            Some(secure) => self.authorized(&on(*secure)?, call, login),
            None => self.first(&on, call, login),
        }
    }

    /// Sends what may be the first request. The others wait for what comes of it: two would find it out twice, and
    /// where nobody answers they would do so one after the other.
    fn first(
        &self,
        on: &dyn Fn(bool) -> Result<Url, Failure>,
        call: &Call<'_>,
        login: Option<&Credentials>,
    ) -> Result<Response, Failure> {
        let failed_before = lock(&self.failed).0;
        let mut plain = lock(&self.trying);
        if *plain || self.secure.get().is_some() {
            drop(plain);
            return self.authorized(&on(self.secure.get().copied().unwrap_or(false))?, call, login);
        }
        if let (number, Some(failure)) = &*lock(&self.failed)
            && *number != failed_before
        {
            return Err(failure.again());
        }
        let mut answer = self.authorized(&on(true)?, call, login);
        if self.insecure
            && self.secure.get().is_none()
            && let Err(failed) = &answer
        {
            // Where nobody speaks TLS, at its own port or at all, there may be someone who speaks plainly.
            if matches!(failed, Failure::NotTls(_)) {
                *plain = true;
                drop(plain);
                return self.authorized(&on(false)?, call, login);
            }
            let plainly = self.authorized(&on(false)?, call, login);
            if self.secure.get().is_some() {
                answer = plainly;
            }
        }
        answer.map_err(|failure| self.unanswered(failure))
    }

    /// A first request has failed: those who wait for it are told the same.
    fn unanswered(&self, failure: Failure) -> Failure {
        if self.secure.get().is_some() {
            return failure;
        }
        let failure = match failure {
            Failure::Passing { error, wait } if refused(&error) => {
                let error = error.hint(format!("see whether a registry runs at `{}`", self.host));
                // A registry that a script has just started may be there in a moment; for a mirror nobody waits.
                if self.named { Failure::Passing { error, wait } } else { Failure::Lasting(error) }
            }
            failure => failure,
        };
        let mut failed = lock(&self.failed);
        *failed = (failed.0 + 1, Some(failure.again()));
        failure
    }

    /// Sends a request to `url`, a second time if the first answer says how to log in.
    fn authorized(
        &self,
        url: &Url,
        call: &Call<'_>,
        login: Option<&Credentials>,
    ) -> Result<Response, Failure> {
        let first = self.send(url, call, self.authorization(url, call.scopes, login)?)?;
        // Whatever it answers: it has understood.
        let _ = self.secure.set(url.is_secure());
        if first.status != 401 {
            return Ok(first);
        }
        let Some(challenge) = challenge::choose(first.headers("www-authenticate")) else { return Ok(first) };
        // A token that was good a moment ago may have ended.
        lock(&self.tokens).remove(&call.scopes.join(" "));
        *lock(&self.challenge) = Some(challenge);
        match self.authorization(url, call.scopes, login)? {
            None => Ok(first),
            authorization => self.send(url, call, authorization),
        }
    }

    fn send(&self, url: &Url, call: &Call<'_>, authorization: Option<String>) -> Result<Response, Failure> {
        let mut request = Request::new(call.method, url.clone());
        request.headers = call.headers.to_vec();
        request.authorization = authorization;
        if call.method == Method::Get || call.method == Method::Head {
            let response = self.client.follow(request)?;
            let stranger = !response.url.same_origin(url);
            return self.own_login(response, stranger);
        }
        if !call.body.is_empty() {
            request.body = Body::Bytes(call.body);
        }
        self.client.send(request)
    }

    /// Sends a request to an address the server itself has named, such as that of an upload. On another server it is
    /// sent without credentials. Is not repeated, since the body can be read only once.
    pub fn send_to(
        &self,
        mut request: Request<'_>,
        scopes: &[String],
        login: Option<&Credentials>,
    ) -> Result<Response, Failure> {
        request.stranger = !self.is_own(&request.url);
        if !request.stranger {
            let url = request.url.clone();
            request.authorization = self.authorization(&url, scopes, login)?;
        }
        let stranger = request.stranger;
        self.own_login(self.client.send(request)?, stranger)
    }

    /// The answer, unless it is a stranger's, to whom this server leads, and who wants a login that he does not get.
    fn own_login(&self, response: Response, stranger: bool) -> Result<Response, Failure> {
        if response.status != 401 || !stranger {
            return Ok(response);
        }
        let other = format!("{}:{}", response.url.host(), response.url.port());
        let error =
            Error::new(Kind::Denied, format!("cannot follow the registry `{}` to `{other}`", self.host))
                .because("it wants a login there, and credentials go to nobody but the registry");
        Err(Failure::Lasting(answer::misled(error, &self.host)))
    }

    /// Whether an address is on this server.
    fn is_own(&self, url: &Url) -> bool {
        Url::on(&self.api, self.secure.get().copied().unwrap_or(true), "/")
            .is_ok_and(|own| own.same_origin(url))
    }

    /// The `Authorization` header for a request: none before the server asked for one.
    fn authorization(
        &self,
        url: &Url,
        scopes: &[String],
        login: Option<&Credentials>,
    ) -> Result<Option<String>, Failure> {
        if let Some(BearerToken(token)) = &self.bearer {
            return Ok(Some(format!("Bearer {token}")));
        }
        let challenge = lock(&self.challenge).clone();
        match challenge {
            None => Ok(None),
            Some(Challenge::Basic) => Ok(login.and_then(Credentials::basic)),
            Some(Challenge::Bearer { realm, service, scope }) => {
                let key = scopes.join(" ");
                if let Some(header) = lock(&self.tokens).get(&key).and_then(Token::header) {
                    return Ok(Some(header.to_owned()));
                }
                // For what has no scope of ours, such as a bare `/v2/`, the registry's own words are used.
                let own: Vec<String> = scope.into_iter().filter(|_| scopes.is_empty()).collect();
                let scopes = if scopes.is_empty() { own.as_slice() } else { scopes };
                let service = service.as_deref();
                let (host, registry) = (self.host.as_str(), url);
                let ask = Ask { realm: &realm, service, scopes, host, registry, credentials: login };
                let token = token::fetch(&self.client, &ask)?;
                let header = token.header().map(str::to_owned);
                lock(&self.tokens).insert(key, token);
                Ok(header)
            }
        }
    }
}

/// Whether nobody listens at the other end.
fn refused(error: &Error) -> bool {
    error.os_error() == Some(rustix::io::Errno::CONNREFUSED.raw_os_error())
}

/// A panic elsewhere does not spoil what is kept here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
