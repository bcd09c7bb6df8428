//! Names of servers as addresses, asked for once for a burst of requests: `ureq` asks before every one of them, also
//! where it has a connection, and starts a thread each time to be able to give up.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer is used: a retry after a pause asks again.
const KEPT: Duration = Duration::from_secs(10);

/// Resolves as the system does, and remembers it for a moment.
#[derive(Debug, Default)]
pub(super) struct Remembering {
    system: DefaultResolver,
    /// By host and port.
    found: Mutex<HashMap<String, (Instant, Vec<SocketAddr>)>>,
}

impl Remembering {
    fn known(&self, name: &str) -> Option<Vec<SocketAddr>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(name).filter(|(then, _)| then.elapsed() < KEPT).map(|(_, found)| found.clone())
    }

    /// From now on `name`, `HOST:PORT`, is at `addresses`.
    pub(super) fn remember(&self, name: String, addresses: Vec<SocketAddr>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(name, (Instant::now(), addresses));
    }
}

impl Resolver for Remembering {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let Some(name) = name else { return self.system.resolve(uri, config, timeout) };
        if let Some(found) = self.known(&name).or_else(|| literal(&name)) {
            let mut addresses = self.empty();
            found.into_iter().for_each(|address| addresses.push(address));
            return Ok(addresses);
        }
        let addresses = self.system.resolve(uri, config, timeout)?;
        self.remember(name, addresses.to_vec());
        Ok(addresses)
    }
}

/// The address that `name`, `HOST:PORT`, is by itself.
fn literal(name: &str) -> Option<Vec<SocketAddr>> {
    let (host, port) = name.rsplit_once(':')?;
    let host: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(vec![SocketAddr::new(host, port.parse().ok()?)])
}
