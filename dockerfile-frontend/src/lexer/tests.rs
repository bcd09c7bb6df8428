//! Tests of `lexer`.

use super::{Lexer, Opening, openings};
use crate::Source;

fn lines(text: &str, escape: char) -> Vec<(String, usize, usize)> {
    let source = Source::new("D", text.as_bytes()).unwrap();
    let mut lexer = Lexer::new(&source, escape);
    std::iter::from_fn(|| lexer.logical_line())
        .map(|line| (line.text, line.span.first, line.span.last))
        .collect()
}

fn texts(text: &str) -> Vec<String> {
    lines(text, '\\').into_iter().map(|(text, ..)| text).collect()
}

#[test]
fn continued_lines_are_joined() {
    assert_eq!(
        lines("\n  RUN a \\\n  b\\ \t\nc\nCMD x", '\\'),
        [("RUN a   bc".to_owned(), 2, 4), ("CMD x".to_owned(), 5, 5)]
    );
    assert_eq!(
        lines("RUN a `\r\n b\\\r\nCMD c", '`'),
        [("RUN a  b\\".to_owned(), 1, 2), ("CMD c".to_owned(), 3, 3)]
    );
}

#[test]
fn comments_and_blank_lines_vanish_also_inside() {
    assert_eq!(texts("# a\nRUN a \\\n# no\\\n   # no\n\n b # yes\n"), ["RUN a  b # yes"]);
    let source = Source::new("D", b"RUN a \\\n\n\n b").unwrap();
    assert_eq!(Lexer::new(&source, '\\').logical_line().unwrap().blank, Some(2));
}

#[test]
fn an_escaped_escape_does_not_continue() {
    assert_eq!(texts("RUN a \\\\\nb"), ["RUN a \\\\", "b"]);
    assert_eq!(texts("RUN a \\\\\\\nb"), ["RUN a \\\\\\", "b"]);
    assert_eq!(texts("\\\nRUN a"), ["RUN a"]);
    assert_eq!(texts("RUN a \\"), ["RUN a "]);
}

#[test]
fn openings_are_words_of_their_own() {
    let names = |line: &str| openings(line).into_iter().map(|opening| opening.name).collect::<Vec<_>>();
    assert_eq!(names("RUN cat <<A 3<<-B >x"), ["A", "B"]);
    assert_eq!(names("RUN <<'A b' x"), ["A b"]);
    for none in ["RUN cat <<<A", "RUN '<<A'", "RUN a<<A", "RUN \"a <<A", "RUN << A", "RUN <<", "RUN \\<<A"] {
        assert_eq!(names(none), [""; 0], "{none}");
    }
}

#[test]
fn an_opening_says_how_its_text_is_meant() {
    let opening = |word: &str| Opening::parse(word).unwrap();
    let plain = opening("<<EOF");
    assert!(plain.expand && !plain.strip_tabs && plain.descriptor.is_none());
    let all = opening("12<<-\"E\"OF");
    assert_eq!(
        (all.name.as_str(), all.expand, all.strip_tabs, all.descriptor),
        ("EOF", false, true, Some(12))
    );
    assert_eq!(opening("<<$x").name, "$x");
}

#[test]
fn a_body_ends_at_its_name() {
    let source = Source::new("D", b"\ta\n\tEOF\nEOF x\nEOF\r\nnext\nrest").unwrap();
    let mut lexer = Lexer::new(&source, '\\');
    let mut last = 0;
    assert_eq!(
        lexer.heredoc_body(&Opening::parse("<<EOF").unwrap(), &mut last).unwrap(),
        "\ta\n\tEOF\nEOF x\n"
    );
    assert_eq!(last, 4);
    assert_eq!(lexer.heredoc_body(&Opening::parse("<<E").unwrap(), &mut last).unwrap_err(), "next\nrest");
    let mut lexer = Lexer::new(&source, '\\');
    let tabs = Opening::parse("<<-EOF").unwrap();
    let body = lexer.heredoc_body(&tabs, &mut last).unwrap();
    assert_eq!((body.as_str(), tabs.with(body.clone()).text().as_str()), ("\ta\n", "a\n"));
}
