//! Bearer tokens: from the service a registry names, for exactly what is about to be done.
//!
//! Source: the distribution project's "Token Authentication" and "OAuth2 Token Authentication" specifications.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::answer;
use crate::auth::Credentials;
use crate::error::{Error, Kind, Result};
use crate::transport::http::{Body, Client, Failure, Method, Request, Url, escape};

/// The most that a token service may answer.
const MAX_ANSWER: u64 = 1 << 20;

/// How long a token is good for if its service does not say.
const USUAL_LIFE: Duration = Duration::from_secs(60);

/// How we call ourselves to token services.
const CLIENT: &str = "kiln";

/// A token and when it ends.
#[derive(Clone)]
pub(super) struct Token {
    header: String,
    ends: Instant,
}

impl Token {
    /// The `Authorization` header, while the token is good.
    pub fn header(&self) -> Option<&str> {
        (Instant::now() < self.ends).then_some(self.header.as_str())
    }
}

/// What is asked for, and of whom.
pub(super) struct Ask<'a> {
    pub realm: &'a str,
    pub service: Option<&'a str>,
    /// `repository:PATH:pull,push` and the like.
    pub scopes: &'a [String],
    /// The registry as image names have it.
    pub host: &'a str,
    /// The registry that named the service.
    pub registry: &'a Url,
    pub credentials: Option<&'a Credentials>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

/// Fetches a token.
pub(super) fn fetch(client: &Client, ask: &Ask<'_>) -> Result<Token, Failure> {
    let host = ask.host;
    let sentence = || format!("cannot log in to `{host}`");
    let lead_astray = |why: String| {
        Failure::Lasting(
            Error::new(Kind::Denied, sentence())
                .because(why)
                .hint("ask whoever runs that registry: its WWW-Authenticate header leads astray"),
        )
    };
    let realm =
        Url::parse(ask.realm).map_err(|cause| Failure::Lasting(Error::corrupt(sentence()).because(cause)))?;
    if ask.registry.is_secure() && !realm.is_secure() {
        return Err(lead_astray(format!("its token service `{}` is reached over plain http", realm.host())));
    }
    let own = ask.registry.host() == realm.host();
    if ask.credentials.is_some() && !own && !related(&ask.registry.host(), &realm.host()) {
        return Err(lead_astray(format!(
            "it wants the credentials sent to `{}`, which is not of its domain",
            realm.host()
        )));
    }
    let response = match ask.credentials {
        Some(Credentials::Token(refresh)) => {
            let mut form = format!(
                "grant_type=refresh_token&client_id={CLIENT}&refresh_token={}&scope={}",
                escape(refresh),
                escape(&ask.scopes.join(" "))
            );
            if let Some(service) = ask.service {
                form.push_str(&format!("&service={}", escape(service)));
            }
            let mut request = Request::new(Method::Post, realm.clone())
                .header("content-type", "application/x-www-form-urlencoded");
            request.stranger = !own;
            request.body = Body::Bytes(form.as_bytes());
            client.send(request)
        }
        credentials => {
            let mut query: Vec<String> =
                ask.scopes.iter().map(|scope| format!("scope={}", escape(scope))).collect();
            query.extend(ask.service.map(|service| format!("service={}", escape(service))));
            if let Some(user) = credentials.and_then(Credentials::user) {
                query.insert(0, format!("account={}", escape(user)));
            }
            let url = match query.is_empty() {
                true => realm.clone(),
                false => realm.with_query(&query.join("&")).map_err(Failure::Lasting)?,
            };
            let mut request = Request::new(Method::Get, url);
            request.authorization = credentials.and_then(Credentials::basic);
            request.stranger = !own;
            client.follow(request)
        }
    };
    let service_at = format!("{}:{}", realm.host(), realm.port());
    let response = response.map_err(|failure| {
        failure.under(|cause| {
            let error = Error::new(cause.kind(), sentence()).because(cause);
            error.hint(format!("see whether its token service runs at `{service_at}`"))
        })
    })?;
    if response.status != 200 {
        return Err(answer::failure(response, sentence(), host));
    }
    let answer: Answer = serde_json::from_slice(&response.bytes(MAX_ANSWER)?).map_err(|_| {
        Failure::Lasting(Error::corrupt(sentence()).because("the token service's answer is no token"))
    })?;
    let token = if answer.token.is_empty() { answer.access_token } else { answer.token };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::Lasting(
            Error::corrupt(sentence()).because("the token service's answer has no token"),
        ));
    }
    let life =
        if answer.expires_in == 0 { USUAL_LIFE } else { Duration::from_secs(answer.expires_in.min(86_400)) };
    // Some of it goes by on the way.
    Ok(Token { header: format!("Bearer {token}"), ends: Instant::now() + life.mul_f32(0.9) })
}

/// Below a country's domain, what stands for a sort of owners: anybody can have a name there.
const SORTS: [&str; 16] = [
    "ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "me", "mil", "ne", "net", "nom", "or", "org", "plc",
];

/// Whether two hosts are of one domain: one is the other's parent, or both have a parent of at least two labels, which
/// is nobody's where it is as `co.uk`. `registry.gitlab.example` and `gitlab.example` are of one, `registry.example`
/// and `evil.example` are not. That a domain lets anybody have a name in other ways is not known here.
pub(super) fn related(registry: &str, realm: &str) -> bool {
    if registry.parse::<std::net::IpAddr>().is_ok() || realm.parse::<std::net::IpAddr>().is_ok() {
        return false;
    }
    let is_owned = |domain: &str| match domain.split_once('.') {
        Some((sort, country)) => country.len() != 2 || !SORTS.contains(&sort),
        None => false,
    };
    let below = |name: &str, domain: &str| {
        is_owned(domain) && name.strip_suffix(domain).is_some_and(|above| above.ends_with('.'))
    };
    let parent = registry.split_once('.').map_or("", |(_, parent)| parent);
    below(registry, realm) || below(realm, registry) || below(realm, parent)
}
