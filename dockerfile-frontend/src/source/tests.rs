//! Tests of `source`.

use super::MAX_LINES;
use crate::diagnostic::Severity;
use crate::{MAX_BYTES, Source, parse};

fn source(bytes: &[u8]) -> Source {
    Source::new("Dockerfile", bytes).expect("a readable source")
}

#[test]
fn lines_are_counted_with_every_kind_of_end() {
    let source = source(b"\xef\xbb\xbfFROM a\r\n\n  last");
    assert_eq!(source.lines(), 3);
    assert_eq!([1, 2, 3, 4, 0].map(|line| source.line(line)), ["FROM a\r\n", "\n", "  last", "", ""]);
    assert_eq!(self::source(b"").lines(), 0);
}

#[test]
fn what_is_no_text_is_refused() {
    let nul = Source::new("D", b"FROM a\nRUN \0").unwrap_err();
    assert_eq!((nul.line(), nul.severity), (2, Severity::Error));
    assert!(Source::new("D", &vec![b'a'; MAX_BYTES + 1]).is_err());
    assert!(Source::new("D", &vec![b'a'; MAX_BYTES]).is_ok());
    assert!(Source::new("D", "\n".repeat(MAX_LINES + 1).as_bytes()).is_err());
    assert!(Source::new("D", "\n".repeat(MAX_LINES).as_bytes()).is_ok());
}

#[test]
fn other_encodings_are_errors_outside_of_comments() {
    assert!(parse(&source(b"# caf\xe9\nFROM a\n")).diagnostics.is_empty());
    for bad in
        [&b"FROM a\nRUN caf\xe9\n"[..], b"FROM a\nRUN a \\\n caf\xe9\n", b"FROM a\nRUN <<E\ncaf\xe9\nE\n"]
    {
        let parsed = parse(&source(bad));
        assert!(parsed.has_errors(), "{bad:?}");
        assert!(parsed.diagnostics[0].message.contains("UTF-8"));
    }
}

#[test]
fn directives_end_at_the_first_other_line() {
    let directives = |text: &str| parse(&source(text.as_bytes())).dockerfile.directives;
    let all = directives("#syntax=a/b:1\n # ESCAPE = `\n# check=skip=all;error=true\nFROM a\n");
    assert_eq!(all.syntax.unwrap().value, "a/b:1");
    assert_eq!(all.escape, '`');
    assert_eq!(all.check.unwrap().value, "skip=all;error=true");
    for late in [
        "\n# escape=`\nFROM a",
        "# hello\n# escape=`\nFROM a",
        "#!/bin/x\n# escape=`\n",
        "FROM a\n# escape=`\n",
    ] {
        assert_eq!(directives(late).escape, '\\', "{late:?}");
    }
}

#[test]
fn bad_directives_are_told() {
    let told = |text: &str| {
        let parsed = parse(&source(text.as_bytes()));
        parsed.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(told("# escape=x\nFROM a").contains("cannot be the escape character"));
    assert!(told("# escape=`\n# escape=\\\nFROM a").contains("a second time"));
    assert!(told("# escpae=`\nFROM a").contains("did you mean `escape`?"));
    assert_eq!(told("# key=value\nFROM a"), "");
}
