//! Tests of what is told of the helper.

use super::*;

#[test]
fn what_pasta_says_is_told_without_its_noise() {
    let error =
        refusal("pasta", "Failed to send 47 bytes to syslog\nDon't run as root. x\nCouldn't open tun: y\n");
    assert!(format!("{error:?}").ends_with(": pasta: Couldn't open tun: y"), "{error:?}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("--network host")));
}
