//! The one registry whose names have a short form everywhere: Docker's own. Its names leave out `library/`, its API is
//! on another host than its names say, and files of credentials know it under an older name.

/// The host that its names have: a label and its domain.
const HUB: (&str, &str) = ("docker", "io");

/// Whether names on this host are that registry's.
pub(crate) fn is_hub(host: &str) -> bool {
    host.split_once('.') == Some(HUB)
}

/// Its host, for names that have none.
pub(crate) fn hub() -> String {
    format!("{}.{}", HUB.0, HUB.1)
}

/// The host that answers for the names of `host`.
pub(crate) fn api_host(host: &str) -> String {
    if is_hub(host) { format!("registry-1.{host}") } else { host.to_owned() }
}

/// The host whose names another host of the same registry serves; any other host stays what it is.
pub(crate) fn hub_alias(host: &str) -> &str {
    match host.split_once('.') {
        Some(("index" | "registry-1", rest)) if is_hub(rest) => rest,
        _ => host,
    }
}
