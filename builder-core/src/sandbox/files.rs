//! The text of the files a run brings along: host names and name servers.
//!
//! Pure; who reads the host's own files is above.

/// The lines of `/etc/hosts`: the host's (none where it has no network), and the container's own name.
pub(crate) fn hosts(host: Option<&str>, hostname: &str) -> String {
    let mut text = match host {
        Some(host) => host.to_owned(),
        None => "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned(),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let words = |line: &str| -> Vec<String> {
        let line = line.split('#').next().unwrap_or_default();
        line.split_ascii_whitespace().skip(1).map(str::to_owned).collect()
    };
    if !text.lines().any(|line| words(line).iter().any(|name| name == hostname)) {
        text.push_str("127.0.0.1\t");
        text.push_str(hostname);
        text.push('\n');
    }
    text
}

/// Whether the only name server of this resolv.conf(5) is the local stub of systemd-resolved.
pub(crate) fn nameserver_is_stub(text: &str) -> bool {
    let mut servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    });
    servers.next() == Some("127.0.0.53") && servers.next().is_none()
}

#[cfg(test)]
mod tests;
