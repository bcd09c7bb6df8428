//! The floor: the only place with `unsafe` and the only place that calls libc itself.
//!
//! `rustix`'s and `nix`'s safe calls may be used by the modules above where they work on handles; whatever those
//! two do not offer safely (clone3, the flat system-call list of the sandbox child, raw xattr calls by handle) is
//! wrapped here.
#![allow(unsafe_code, reason = "this module is where it lives; each block says why it is sound")]

pub(crate) mod bpf;
pub(crate) mod companion;
pub(crate) mod device_rule;
pub(crate) mod in_root;
pub(crate) mod keeper;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod mount_attr;
pub(crate) mod random;
pub(crate) mod record_lock;
pub(crate) mod signals;
pub(crate) mod spawn;
pub(crate) mod threads;
pub(crate) mod trial;
pub(crate) mod userns;
pub(crate) mod variables;
pub(crate) mod xattr;
