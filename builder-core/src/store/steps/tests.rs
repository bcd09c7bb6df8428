//! What a step printed, in order.

use super::*;

#[test]
fn what_was_printed_comes_back_in_order() {
    let mut printed = Printed::default();
    printed.push(false, b"one");
    printed.push(true, b"two");
    printed.push(false, b"");
    assert_eq!(printed.pieces().collect::<Vec<_>>(), [(false, &b"one"[..]), (true, b"two")]);
    let cut = Printed(printed.0[..9].to_vec());
    assert_eq!(cut.pieces().collect::<Vec<_>>(), [(false, &b"one"[..])]);
}
