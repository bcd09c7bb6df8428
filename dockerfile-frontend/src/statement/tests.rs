//! Tests of `statement`.

use super::{Malformed, Statement};
use crate::source::Span;

fn statement(text: &str) -> Statement {
    Statement::parse(text, Span::line(1), '\\').unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

fn malformed(text: &str) -> Malformed {
    Statement::parse(text, Span::line(1), '\\').expect_err(text)
}

#[test]
fn flags_stand_in_front_and_are_unquoted() {
    let flags = |text: &str| statement(text).flags;
    assert_eq!(flags("COPY --a=1 --b=\"x y\" --c='\\d' e --f"), ["--a=1", "--b=x y", "--c=d"]);
    assert_eq!(flags("COPY --a -- --b c"), ["--a"]);
    assert_eq!(flags("COPY --a=é --"), ["--a=é"]);
    assert_eq!(flags("RUN -x --y"), [""; 0]);
    assert_eq!(statement("RUN --a   b  c ").arguments, ["b  c"]);
    assert_eq!(statement("RUN --a='b").flags, ["--a=b"]);
    assert_eq!(statement("RUN --a\\").flags, ["--a"]);
}

#[test]
fn json_is_json_or_else_text() {
    for (text, json, arguments) in [
        ("CMD [\"a\", \"\\u0041\\n\"] ", true, vec!["a", "A\n"]),
        ("CMD [ ]", true, vec![]),
        ("CMD [\"a\"] b", false, vec!["[\"a\"] b"]),
        ("CMD [\"a\",]", false, vec!["[\"a\",]"]),
        ("CMD ['a']", false, vec!["['a']"]),
        ("CMD a [\"b\"]", false, vec!["a [\"b\"]"]),
        ("COPY [\"a\" \"b\"]", false, vec!["[\"a\"", "\"b\"]"]),
        ("HEALTHCHECK CMD [\"a\"]", true, vec!["CMD", "a"]),
    ] {
        let statement = statement(text);
        assert_eq!(
            (statement.json, statement.arguments),
            (json, arguments.into_iter().map(str::to_owned).collect())
        );
    }
    for text in ["CMD [1]", "COPY [\"a\", null]", "VOLUME [[\"a\"]]", "ONBUILD CMD [true]"] {
        assert!(malformed(text).message.contains("strings only"), "{text}");
    }
}

#[test]
fn pairs_have_two_forms() {
    let pairs = |text: &str| statement(text).arguments.join("|");
    assert_eq!(pairs("ENV a=b c=\"d e\" f='g h'i j=k\\ l"), "a|b|=|c|\"d e\"|=|f|'g h'i|=|j|k\\ l|=");
    assert_eq!(pairs("ENV a \t b=c  d"), "a|b=c  d|");
    assert_eq!(pairs("ENV a="), "a||=");
    assert!(malformed("ENV a").message.contains("no value"));
    assert!(malformed("LABEL a=b c").message.contains("no `=`"));
}

#[test]
fn a_trigger_is_a_statement() {
    let outer = statement("ONBUILD COPY --from=a b c");
    let trigger = outer.trigger.as_deref().unwrap();
    assert_eq!((trigger.flags.len(), trigger.arguments.len()), (1, 2));
    assert!(outer.takes_heredocs());
    assert!(
        !statement("ONBUILD CMD a").takes_heredocs() && !statement("COPY [\"<<a\", \"b\"]").takes_heredocs()
    );
    assert!(malformed(&"ONBUILD ".repeat(100_000)).message.contains("another"));
}
