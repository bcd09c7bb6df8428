//! What unit tests share. A test that this machine or user cannot run says so here, and is listed at the end.

use std::io::Write;

/// Whether the test may act as root. If not, `test` is added to the list of tests that did not run, with the reason.
pub(crate) fn require_root(test: &str) -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    not_run(test, "needs root");
    false
}

/// Adds a line to the file named by `KILN_TESTS_NOT_RUN`; the test command prints that file and compares it on CI.
pub(crate) fn not_run(test: &str, reason: &str) {
    if let Some(path) = std::env::var_os("KILN_TESTS_NOT_RUN") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        writeln!(file.expect("the list of tests not run opens"), "{test}: {reason}")
            .expect("it can be written");
    }
}
