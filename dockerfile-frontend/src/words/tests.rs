//! Tests of `words`.

use std::collections::BTreeMap;

use super::{MAX_RESULT, WordError, Words};

fn variables() -> BTreeMap<String, String> {
    [("x", "one two"), ("p", "/a/b/c.tar.gz"), ("e", ""), ("n", "l1\nl2"), ("ü", "uml"), ("star", "a*b")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[track_caller]
fn expands(text: &str, expected: &str) {
    assert_eq!(
        Words::new('\\').expand(text, &variables()).map(|done| done.text).as_deref(),
        Ok(expected),
        "{text}"
    );
}

fn fails(text: &str) -> WordError {
    Words::new('\\').expand(text, &variables()).expect_err(text)
}

#[test]
fn quotes_and_escapes() {
    for (text, expected) in [
        ("", ""),
        ("a  b", "a  b"),
        ("a'b $x \\'c", "ab $x \\c"),
        ("\"a 'b' $x\"", "a 'b' one two"),
        ("\"\\$x \\\" \\\\ \\n\"", "$x \" \\ \\n"),
        ("\\$x \\n\\'", "$x n'"),
        ("end\\", "end"),
        ("$", "$"),
        ("$.x", "$.x"),
        ("\"$\"", "$"),
    ] {
        expands(text, expected);
    }
    let backtick = Words::new('`').expand("`$x C:\\dir \"`\"\"", &variables()).unwrap();
    assert_eq!(backtick.text, "$x C:\\dir \"");
}

#[test]
fn variables_and_defaults() {
    for (text, expected) in [
        ("$x$x", "one twoone two"),
        ("${x}y$ü$none.", "one twoyuml."),
        ("$1x${12}", "x"),
        ("${none:-a ${x}}", "a one two"),
        ("${none-'}'}", "}"),
        ("${e:-d}${e-d}", "d"),
        ("${x:+set}${e:+set}${none+set}${e+yes}", "setyes"),
        ("${x:?no}${e?no}", "one two"),
    ] {
        expands(text, expected);
    }
}

#[test]
fn patterns() {
    for (text, expected) in [
        ("${p#*/}", "a/b/c.tar.gz"),
        ("${p##*/}", "c.tar.gz"),
        ("${p%.*}", "/a/b/c.tar"),
        ("${p%%.*}", "/a/b/c"),
        ("${p%/*}", "/a/b"),
        ("${p#nothing}", "/a/b/c.tar.gz"),
        ("${p#??}", "/b/c.tar.gz"),
        ("${p/a?b/x}", "/x/c.tar.gz"),
        ("${p//\\//-}", "-a-b-c.tar.gz"),
        ("${p/./,}${p//./}", "/a/b/c,tar.gz/a/b/ctargz"),
        ("${star#a\\*}${star%\\*b}", "ba"),
        ("${n#*2}", "l1\nl2"),
        ("${none#a}${none/a/b}", ""),
        ("${p#$e}${x/one/$e}", "/a/b/c.tar.gz two"),
    ] {
        expands(text, expected);
    }
}

#[test]
fn mistakes_have_their_kinds() {
    assert_eq!(fails("it's"), WordError::Unclosed('\''));
    assert_eq!(fails("\"a"), WordError::Unclosed('"'));
    for text in ["${", "${x", "${x:", "${x:-a", "${x:-'a", "${x/a/b"] {
        assert_eq!(fails(text), WordError::MissingBrace, "{text}");
    }
    assert_eq!(fails("${x/a}"), WordError::MissingSlash);
    for text in ["${}", "${:x}", "${{x}}"] {
        assert_eq!(fails(text), WordError::BadSubstitution, "{text}");
    }
    assert_eq!(fails("${x^}"), WordError::UnsupportedModifier("^".to_owned()));
    assert_eq!(fails("${x:=a}"), WordError::UnsupportedModifier(":=".to_owned()));
    assert_eq!(fails("${x#\\a}"), WordError::BadPattern("\\a".to_owned()));
    assert_eq!(fails("${none:?give $x}").to_string(), "none: give one two");
    assert_eq!(fails("${none?}").to_string(), "none: is not set");
    assert_eq!(fails("${e:?}").to_string(), "e: is empty");
}

#[test]
fn words_split_where_nothing_quotes() {
    let words = |text: &str| Words::new('\\').expand(text, &variables()).unwrap().words;
    assert_eq!(words(" a  b\tc "), ["a", "b", "c"]);
    assert_eq!(words("'a b'c d\\ e"), ["a bc", "d e"]);
    assert_eq!(words("$x \"$x\" 1$x"), ["one", "two", "one two", "1one", "two"]);
    assert_eq!(words("'' \"\" $e"), [""; 0]);
}

#[test]
fn rules_keep_what_they_say() {
    let rules = Words::new('\\');
    let expand = |rules: Words, text: &str| rules.expand(text, &variables()).unwrap().text;
    assert_eq!(expand(Words { raw_quotes: true, ..rules }, "'a' \"$x\""), "'a' \"one two\"");
    assert_eq!(expand(Words { raw_escapes: true, ..rules }, "\\a\\$x"), "\\a\\$x");
    assert_eq!(
        expand(Words { keep_unset: true, ..rules }, "$x $y ${y} ${y:-d} ${y/a/b}"),
        "one two $y ${y} ${y:-d} ${y/a/b}"
    );
    assert_eq!(expand(Words::heredoc(), "it's $x \\$x \""), "it's one two $x \"");
}

#[test]
fn names_are_gathered() {
    let done = Words::new('\\').expand("$x ${y:-$z} '$q'", &variables()).unwrap();
    assert_eq!(done.used.into_iter().collect::<Vec<_>>(), ["x"]);
    assert_eq!(done.unset.into_iter().collect::<Vec<_>>(), ["y", "z"]);
}

#[test]
fn results_are_bounded() {
    let deep = "${a:-".repeat(100_000);
    assert_eq!(fails(&deep), WordError::TooDeep);
    let big: BTreeMap<_, _> = [("x".to_owned(), "a".repeat(MAX_RESULT / 2))].into();
    let expand = |text: &str| Words::new('\\').expand(text, &big).map(|_| ());
    assert_eq!(expand("$x$x"), Ok(()));
    for text in ["$x$x$x", "\"$x$x$x\"", "${x//a/$x}"] {
        assert_eq!(expand(text), Err(WordError::TooLong));
    }
}
