//! Paths and lines; what instructions become is tested where they are executed.

use super::*;
use crate::source::Span;

#[test]
fn working_directories_are_joined_and_cleaned() {
    for (base, path, result) in [
        ("", "x", "/x"),
        ("/", "x/", "/x"),
        ("/a", "b", "/a/b"),
        ("/a", "/b", "/b"),
        ("/a/b", "../c", "/a/c"),
        ("/a", "../../..", "/"),
        ("/a", "././/b", "/a/b"),
    ] {
        assert_eq!(join(base, path), result, "{base} {path}");
    }
}

#[test]
fn signals_have_numbers_and_names() {
    for right in ["9", "KILL", "SIGTERM", "sigquit", "SIGRTMIN+3", "rtmax-1", "37", "SIGWINCH"] {
        assert!(is_signal(right), "{right}");
    }
    for wrong in ["", "0", "-1", "NONSENSE", "SIG", "SIGTERM+1", "RTMIN+99", "RTMIN+", "SIGSIGTERM", "9 x"] {
        assert!(!is_signal(wrong), "{wrong}");
    }
}

#[test]
fn an_instruction_is_shown_in_one_line() {
    let text = "FROM a\nRUN one \\\n# between\n\n  && two\nRUN <<E\nx\nE\n";
    let source = Source::new("Dockerfile", text.as_bytes()).unwrap();
    assert_eq!(one_line(&source, Span { first: 2, last: 5 }, '\\'), "RUN one && two");
    assert_eq!(one_line(&source, Span { first: 6, last: 8 }, '\\'), "RUN <<E");
}
