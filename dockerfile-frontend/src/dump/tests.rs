//! Tests of `dump`.

use crate::{Source, dump, scan};

#[track_caller]
fn dumps(text: &str, expected: &str) {
    let source = Source::new("D", text.as_bytes()).unwrap();
    assert_eq!(dump(&scan(&source).statements), format!("{expected}\n"), "{text}");
}

#[test]
fn every_instruction() {
    dumps("from --platform=a b  as c", r#"(from ["--platform=a"] "b" "as" "c")"#);
    dumps("RUN --mount=a --network='b c' x \"y\"", r#"(run ["--mount=a" "--network=b c"] "x \"y\"")"#);
    dumps("RUN [\"a\", \"b c\"]", r#"(run "a" "b c")"#);
    dumps("RUN ['a']", r#"(run "['a']")"#);
    dumps("CMD []", "(cmd)");
}

#[test]
fn lists_pairs_and_triggers() {
    dumps("COPY -- --a b c", r#"(copy "--a" "b" "c")"#);
    dumps("ADD [\"a b\", \"/c/\"]", r#"(add "a b" "/c/")"#);
    dumps("ENV a=b c='d e'", r#"(env "a" "b" "=" "c" "'d e'" "=")"#);
    dumps("LABEL a  b c=d", r#"(label "a" "b c=d" "")"#);
    dumps("ARG a b=\"c d\"", r#"(arg "a" "b=\"c d\"")"#);
    dumps("HEALTHCHECK --retries=1 CMD [\"a\"]", r#"(healthcheck ["--retries=1"] "CMD" "a")"#);
    dumps("ONBUILD ADD a b", r#"(onbuild (add "a" "b"))"#);
    dumps("USER a b", r#"(user "a b")"#);
    dumps("NOSUCH a", r#"(nosuch "")"#);
    dumps("RUN <<A\nx\nA\nRUN y", "(run \"<<A\")\n(run \"y\")");
}

#[test]
fn strings_are_quoted_as_go_quotes() {
    dumps(
        "RUN a\tb\\c\u{7f}\u{1}é\u{a0}\u{200b}\u{e0001}x\u{301}",
        r#"(run "a\tb\\c\x7f\x01é\u00a0\u200b\U000e0001x́")"#,
    );
}
