//! Plain requests that a proxy is handed: they name the server in their first line, and go to the proxy whatever the
//! server is called.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Proxy};

/// What a proxy wants for a login in each request; none if its address has no user.
pub(super) fn login(proxy: &Proxy) -> Option<String> {
    let user = proxy.username()?;
    let both = format!("{user}:{}", proxy.password().unwrap_or_default());
    Some(format!("Basic {}", STANDARD.encode(both)))
}

/// Resolves every name to the proxy.
#[derive(Debug)]
pub(super) struct ProxyResolver {
    proxy: Uri,
    resolver: DefaultResolver,
}

impl ProxyResolver {
    pub fn new(proxy: Uri) -> Self {
        ProxyResolver { proxy, resolver: DefaultResolver::default() }
    }
}

impl Resolver for ProxyResolver {
    fn resolve(
        &self,
        _uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.resolver.resolve(&self.proxy, config, timeout)
    }
}

/// Puts the server into the first line of a request. A connection is for one request.
#[derive(Debug)]
pub(super) struct AbsoluteForm;

impl<In: Transport> Connector<In> for AbsoluteForm {
    type Out = Handed<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(below) = chained else { return Ok(None) };
        let authority = details.uri.authority().map_or("", |authority| authority.as_str());
        Ok(Some(Handed { below, server: format!("http://{authority}"), begun: false }))
    }
}

/// A connection to a proxy.
pub(super) struct Handed<T> {
    below: T,
    /// `http://HOST:PORT`.
    server: String,
    /// Whether the first line is sent.
    begun: bool,
}

impl<T: Transport> Transport for Handed<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.below.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if std::mem::replace(&mut self.begun, true) {
            return self.below.transmit_output(amount, timeout);
        }
        let head = self.below.buffers().output()[..amount].to_vec();
        // `GET /path …`: the first space is before the path.
        let path = head.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
        let whole = [&head[..path], self.server.as_bytes(), &head[path..]].concat();
        let room = self.below.buffers().output().len().max(1);
        for piece in whole.chunks(room) {
            self.below.buffers().output()[..piece.len()].copy_from_slice(piece);
            self.below.transmit_output(piece.len(), timeout)?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.below.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        // The next request would need a first line of its own.
        false
    }
}

impl<T> fmt::Debug for Handed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").finish_non_exhaustive()
    }
}
