//! The environment of this process, as programs that it starts get it.

use std::ffi::OsStr;

/// Sets a variable. Must be called before any thread starts: others may be reading the environment.
#[expect(clippy::disallowed_methods, reason = "programs that are started by others than us get it, too")]
pub(crate) fn set(name: &OsStr, value: &OsStr) {
    // SAFETY: no other thread is there (the contract of this function), so nobody reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) }
}
