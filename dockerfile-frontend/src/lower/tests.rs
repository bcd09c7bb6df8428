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
fn an_instruction_is_shown_in_one_line() {
    let text = "FROM a\nRUN one \\\n# between\n\n  && two\nRUN <<E\nx\nE\n";
    let source = Source::new("Dockerfile", text.as_bytes()).unwrap();
    assert_eq!(one_line(&source, Span { first: 2, last: 5 }, '\\'), "RUN one && two");
    assert_eq!(one_line(&source, Span { first: 6, last: 8 }, '\\'), "RUN <<E");
}

#[test]
fn signals_have_names_and_numbers() {
    for good in ["SIGTERM", "term", "15", "64", "SIGRTMIN+3", "RTMAX-14", "sigrtmin", "POLL"] {
        assert!(signals::is_signal(good), "{good}");
    }
    for bad in
        ["", "0", "-1", "nosuch", "SIG", "SIGSIGTERM", "RTMIN+16", "RTMIN-1", "RTMAX-0", "RTMAX-15", "1.5"]
    {
        assert!(!signals::is_signal(bad), "{bad}");
    }
}
