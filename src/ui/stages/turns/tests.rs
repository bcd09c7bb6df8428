//! Whose turn it is, and what waits for it.

use super::*;
use std::cell::RefCell;

#[test]
fn later_stages_wait_for_their_turn() {
    let turns = Turns::default();
    let told = RefCell::new(String::new());
    let out = |stream: Stream, bytes: &[u8]| {
        let mark = if stream == Stream::Err { "!" } else { "" };
        told.borrow_mut().push_str(&format!("{mark}{} ", String::from_utf8_lossy(bytes)));
    };
    let now = || std::mem::take(&mut *told.borrow_mut());
    turns.tell(2, Stream::Out, b"two", out);
    turns.tell(1, Stream::Out, b"one", out);
    turns.tell(3, Stream::Out, b"th", out);
    turns.tell(3, Stream::Out, b"ree", out);
    turns.tell(3, Stream::Err, b"wrong", out);
    turns.tell(4, Stream::Out, b"four", out);
    assert_eq!(now(), "one ");
    // The second has ended, but it is not its turn.
    turns.end(2, out);
    assert_eq!(now(), "");
    turns.end(1, out);
    assert_eq!(now(), "two three !wrong ");
    turns.tell(3, Stream::Out, b"at once", out);
    assert_eq!(now(), "at once ");
    turns.tell_now(4, out);
    assert_eq!(now(), "four ");
}
