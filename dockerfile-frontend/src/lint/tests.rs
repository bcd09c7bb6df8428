//! Each rule on a file that breaks it, and none on a file that is right.

use super::*;
use crate::parser::{parse, scan};

fn warnings(text: &str) -> Vec<String> {
    let source = Source::new("Dockerfile", text.as_bytes()).unwrap();
    let parsed = parse(&source);
    let statements = scan(&source).statements;
    let given = Given {
        platform: [("TARGETPLATFORM".to_owned(), "linux/amd64".to_owned())].into(),
        ..Given::default()
    };
    let checks = parsed.dockerfile.directives.check.as_ref().map_or("", |check| check.value.as_str());
    let checks = Checks::parse(checks).unwrap();
    let found = lint(&source, &statements, &parsed.dockerfile, &given, &checks, &|path| path == "left/out");
    let of_parser = parsed.diagnostics.into_iter().filter(|found| checks.keeps(found));
    of_parser.chain(found).map(|found| found.message).collect()
}

#[test]
fn each_rule_is_broken_by_one_file() {
    let cases = [
        ("ConsistentInstructionCasing", "FROM a\nRUN x\nrun y\n"),
        ("CopyIgnoredFile", "FROM a\nCOPY left/out /x\n"),
        ("DuplicateStageName", "FROM a AS x\nFROM b AS x\n"),
        ("ExposeInvalidFormat", "FROM a\nEXPOSE 127.0.0.1:80:80\n"),
        ("ExposeProtoCasing", "FROM a\nEXPOSE 80/TCP\n"),
        ("FromAsCasing", "FROM a as x\n"),
        ("FromPlatformFlagConstDisallowed", "FROM --platform=linux/amd64 a\n"),
        ("InvalidDefaultArgInFrom", "ARG T\nFROM a:${T}\n"),
        ("JSONArgsRecommended", "FROM a\nCMD x y\n"),
        ("LegacyKeyValueFormat", "FROM a\nENV x y\n"),
        ("MaintainerDeprecated", "FROM a\nMAINTAINER x\n"),
        ("MultipleInstructionsDisallowed", "FROM a\nCMD [\"x\"]\nCMD [\"y\"]\n"),
        ("NoEmptyContinuation", "FROM a\nRUN x \\\n\n  y\n"),
        ("RedundantTargetPlatform", "FROM --platform=$TARGETPLATFORM a\n"),
        ("ReservedStageName", "FROM a AS context\n"),
        ("SecretsUsedInArgOrEnv", "FROM a\nARG AWS_SECRET_KEY\n"),
        ("StageNameCasing", "FROM a AS Build\n"),
        ("UndefinedArgInFrom", "FROM a:$NOWHERE-x\n"),
        ("UndefinedVar", "FROM scratch\nENV NAME=x\nWORKDIR /$NMAE\n"),
        ("WorkdirRelativePath", "FROM a\nWORKDIR x\n"),
    ];
    assert_eq!(cases.map(|(rule, _)| rule).to_vec(), RULES.iter().map(|rule| rule.name).collect::<Vec<_>>());
    for (rule, text) in cases {
        let found = warnings(text);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(found[0].starts_with(&format!("{rule}: ")), "{found:?}");
        assert!(warnings(&format!("# check=skip={rule}\n{text}")).is_empty(), "{rule} is skipped");
        assert!(warnings(&format!("# check=skip=all\n{text}")).is_empty(), "{rule} is skipped");
    }
}

#[test]
fn a_file_that_is_right_has_none() {
    let text = "ARG TAG=1\nFROM --platform=$BUILDPLATFORM a:$TAG AS build\nARG X=1\nENV Y=$X PATH=/x:$PATH\n\
                WORKDIR /w\nWORKDIR y\nCOPY in /x\nRUN x\nFROM build\nENV PUBLIC_KEY=x\nEXPOSE 80/tcp\n\
                HEALTHCHECK CMD x\nCMD [\"x\"]\n";
    let found = warnings(text);
    // What the build platform is, is not given here.
    assert!(found.iter().all(|found| found.contains("BUILDPLATFORM")), "{found:?}");
    assert!(warnings("from a as b\nrun x\n").is_empty());
}

#[test]
fn a_check_directive_is_read() {
    let checks = Checks::parse("skip=A, b ;error=true").unwrap();
    assert!(checks.error && !checks.wants("B") && checks.wants("C"));
    assert!(Checks::parse("").unwrap().wants("A"));
    for bad in ["skipp=A", "error=perhaps", "x"] {
        assert!(Checks::parse(bad).is_err(), "{bad}");
    }
}
