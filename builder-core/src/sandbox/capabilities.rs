//! Names of capabilities, and the set a command has unless told otherwise.

use rustix::thread::CapabilitySet;

use crate::error::{Error, Result};

/// What root in a container may do by default: Buildah's set.
pub(crate) const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_CHROOT);

/// The names of that set, sorted.
#[must_use]
pub fn default_capabilities() -> Vec<String> {
    let mut names: Vec<String> = DEFAULT.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
    names.sort();
    names
}

/// Takes `CAP_KILL`, `kill`, or `all` for what it says.
pub(crate) fn parse(name: &str) -> Result<CapabilitySet> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if bare == "ALL" {
        return Ok(CapabilitySet::from_bits_truncate(known()));
    }
    CapabilitySet::from_name(bare).ok_or_else(|| {
        Error::invalid(format!("cannot use the capability `{name}`"))
            .because("no capability has this name")
            .hint("use a name of capabilities(7), such as `CAP_NET_RAW`, or `all`")
    })
}

/// The bits that have a name.
fn known() -> u64 {
    use rustix::thread::CapabilitySet as Set;
    // The highest one is the youngest: capabilities are numbered from 0 without gaps.
    let last = Set::CHECKPOINT_RESTORE.bits();
    last | (last - 1)
}
