//! Tests of `diagnostic`.

use super::{Diagnostics, nearest};
use crate::Source;
use crate::source::Span;

#[test]
fn the_nearest_name_is_near() {
    let names = ["COPY", "CMD", "RUN", "ENTRYPOINT"];
    for (word, expected) in [
        ("RNU", Some("RUN")),
        ("coppy", Some("COPY")),
        ("ENTRPYOINT", Some("ENTRYPOINT")),
        ("MAKE", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, &names), expected, "{word}");
    }
    assert_eq!(nearest(&"x".repeat(1 << 20), &names), None);
}

#[test]
fn the_excerpt_shows_the_part_that_is_meant() {
    let source = Source::new("D", b"RUN a \\\n\t--nosuch \\\n b\n").unwrap();
    let mut faults = Diagnostics::new(&source);
    faults.error(Span { first: 1, last: 3 }, Some("--nosuch"), "wrong").expected("right").hint("do");
    let found = faults.into_found();
    let drawn = "error: wrong\n  --> D:2\n   2 |  --nosuch \\\n     |  ^^^^^^^^\nexpected: right\nhint: do";
    assert_eq!(found[0].to_string(), drawn);
}

#[test]
fn foreign_text_is_cut_and_harmless() {
    let text = format!("RUN \x1b[31m{}", "é".repeat(10_000));
    let source = Source::new("D", text.as_bytes()).unwrap();
    let mut faults = Diagnostics::new(&source);
    faults.error(Span::line(1), Some("éé"), format!("a \x1b {text}"));
    faults.error(Span::line(1), Some(&text), "b");
    faults.error(Span::line(9), Some("nothing"), "c");
    for diagnostic in faults.into_found() {
        let drawn = diagnostic.to_string();
        assert!(!drawn.contains('\x1b') && drawn.chars().count() < 700, "{drawn}");
    }
}

#[test]
fn a_part_far_to_the_right_is_shown() {
    let text = format!("RUN {} --bad", "é".repeat(1000));
    let source = Source::new("D", text.as_bytes()).unwrap();
    let mut faults = Diagnostics::new(&source);
    faults.error(Span::line(1), Some("--bad"), "a");
    let drawn = faults.into_found()[0].to_string();
    let (excerpt, mark) =
        drawn.lines().skip(2).collect::<Vec<_>>().split_first().map(|(a, b)| (*a, b[0])).unwrap();
    let place = excerpt.chars().take_while(|&letter| letter != '-').count();
    assert_eq!(mark.chars().position(|letter| letter == '^'), Some(place));
}
