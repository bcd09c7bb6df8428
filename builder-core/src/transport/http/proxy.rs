//! Which proxy a request goes through: the rules of `http_proxy`, `https_proxy` and `no_proxy`.

use std::net::IpAddr;

use super::Url;
use crate::settings::Proxies;

impl Proxies {
    /// The proxy for `url`; `None` to reach it directly. This machine itself is never reached through one.
    pub(super) fn choose(&self, url: &Url) -> Option<&str> {
        let chosen = if url.is_secure() { &self.https } else { &self.http };
        let chosen = chosen.as_deref().filter(|proxy| !proxy.is_empty())?;
        let host = url.host();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return None;
        }
        let direct = self.none.as_deref().unwrap_or_default();
        let mut direct = direct.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        direct.all(|entry| !covers(entry, &host, url.port(), address)).then_some(chosen)
    }
}

/// Whether an entry of `no_proxy` covers a host.
fn covers(entry: &str, host: &str, port: u16, address: Option<IpAddr>) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/')
        && let (Ok(network), Ok(bits), Some(address)) = (network.parse(), bits.parse(), address)
    {
        return in_network(address, network, bits);
    }
    let entry = entry.to_ascii_lowercase();
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') => (name, digits.parse::<u16>().ok()),
        _ => (entry.as_str(), None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let (Ok(name), Some(address)) = (name.trim_matches(['[', ']']).parse::<IpAddr>(), address) {
        return name == address;
    }
    let name = name.strip_prefix("*.").map_or(name.to_owned(), |rest| format!(".{rest}"));
    match name.strip_prefix('.') {
        Some(domain) => host.strip_suffix(domain).is_some_and(|above| above.ends_with('.')),
        None => host == name || host.strip_suffix(&name).is_some_and(|above| above.ends_with('.')),
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => {
            (a.to_bits() ^ n.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => {
            (a.to_bits() ^ n.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}
