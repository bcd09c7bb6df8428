//! The text of the files a run brings along: host names and name servers.
//!
//! Pure; who reads the host's own files is above.

use std::net::IpAddr;

/// The lines of `/etc/hosts`: those asked for, the host's (none where it has no network), and the container's own name.
pub(crate) fn hosts(host: Option<&str>, added: &[(IpAddr, String)], hostname: &str) -> String {
    // Of two lines for a name the first counts.
    let mut text: String = added.iter().map(|(address, names)| format!("{address}\t{names}\n")).collect();
    match host {
        Some(host) => text.push_str(host),
        None => text.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
    }
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

/// The name servers that a resolv.conf(5) names, as written.
pub(crate) fn name_servers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    })
}

/// Whether the only name server of this resolv.conf(5) is the local stub of systemd-resolved.
pub(crate) fn nameserver_is_stub(text: &str) -> bool {
    let mut servers = name_servers(text);
    servers.next() == Some("127.0.0.53") && servers.next().is_none()
}

/// The host's resolv.conf(5) with what was asked for in the place of what it says.
pub(crate) fn resolver(host: &str, servers: &[IpAddr], search: &[String], options: &[String]) -> String {
    let replaced = |line: &str| {
        let word = line.split_ascii_whitespace().next();
        (word == Some("nameserver") && !servers.is_empty())
            || (matches!(word, Some("search" | "domain")) && !search.is_empty())
            || (word == Some("options") && !options.is_empty())
    };
    let mut text = String::new();
    if !search.is_empty() && search != ["."] {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    servers.iter().for_each(|server| text.push_str(&format!("nameserver {server}\n")));
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    for line in host.lines().filter(|line| !replaced(line)) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
