//! Each rule on a file that breaks it, and none on a file that is right.

use super::*;
use crate::parser::{parse, scan};

fn warnings(text: &str) -> Vec<String> {
    let source = Source::new("Dockerfile", text.as_bytes()).unwrap();
    let parsed = parse(&source);
    let statements = scan(&source).statements;
    let given = Given {
        platform: ["TARGETPLATFORM", "BUILDPLATFORM"]
            .map(|name| (name.to_owned(), "linux/amd64".to_owned()))
            .into(),
        ..Given::default()
    };
    let checks = Checks::of(&parsed.dockerfile, &given).unwrap();
    // The images `known` and `foreign` are at hand, all others are not.
    let variables_of = |image: &str| (image == "known").then(|| vec!["OF_IMAGE".to_owned()]);
    let other_platform_of = |image: &str, wanted: &str| {
        (image == "foreign" && wanted != "linux/s390x").then(|| "linux/s390x".to_owned())
    };
    let outside = Outside {
        is_ignored: &|path| path == "left/out",
        variables_of: &variables_of,
        other_platform_of: &other_platform_of,
    };
    let found = lint(&source, &statements, &parsed.dockerfile, &given, &checks, outside);
    let of_parser = parsed.diagnostics.into_iter().filter(|found| checks.keeps(found));
    of_parser.chain(found).map(|found| found.message).collect()
}

/// Each rule with files that break it once, and files that are near that and right.
const CASES: [(&str, &[&str], &[&str]); 22] = [
    (
        "ConsistentInstructionCasing",
        &[
            "FROM a\nRUN x\nrun y\n",
            "From a\nRUN x\n",
            "from a\nrun x\nRUN y\nrun z\n",
            "FROM a\nrUn x\nCMD [\"y\"]\n",
        ],
        &["from a\nrun x\n", "FROM a\nRUN <<E\nrun\nE\n"],
    ),
    (
        "CopyIgnoredFile",
        &["FROM a\nCOPY left/out /x\n", "FROM a\nADD left/out /x\n"],
        &["FROM a\nCOPY left /x\n", "FROM a AS b\nFROM b\nCOPY --from=b left/out /x\n"],
    ),
    (
        "DuplicateStageName",
        &["FROM a AS x\nFROM b AS x\n", "FROM a AS x\nFROM b AS y\nFROM x AS x\n"],
        &["FROM a AS x\nFROM b AS y\n"],
    ),
    (
        "ExposeInvalidFormat",
        &["FROM a\nEXPOSE 127.0.0.1:80:80\n", "FROM a\nEXPOSE 5000:8080/tcp\n"],
        &["FROM a\nEXPOSE 80 8000-8010/udp $PORT\n"],
    ),
    ("ExposeProtoCasing", &["FROM a\nEXPOSE 80/TCP\n"], &["FROM a\nEXPOSE 80/tcp 53/udp\n"]),
    ("FromAsCasing", &["FROM a as x\n", "from a AS x\n"], &["FROM a AS x\n", "from a as x\n"]),
    (
        "FromPlatformFlagConstDisallowed",
        &["FROM --platform=linux/amd64 a\n", "FROM --platform=linux/amd64 a AS arm64_build\n"],
        &[
            "FROM --platform=linux/amd64 a AS build_amd64\n",
            "FROM --platform=linux/amd64 a AS linux\n",
            "ARG P=linux/amd64\nFROM --platform=$P a\n",
        ],
    ),
    (
        "InvalidBaseImagePlatform",
        &["FROM foreign\n", "ARG P=linux/arm64\nFROM --platform=$P foreign\n"],
        &[
            "FROM known\n",
            "ARG P=linux/s390x\nFROM --platform=$P foreign\n",
            "FROM a AS foreign\nFROM foreign\n",
            "FROM elsewhere\n",
        ],
    ),
    (
        "InvalidDefaultArgInFrom",
        &[
            "ARG T\nFROM a:${T}\n",
            "ARG IMAGE\nFROM $IMAGE\n",
            "ARG END=\"box:\"\nFROM busy${END}\n",
            "ARG N=Upper\nFROM a/$N:1\n",
        ],
        &[
            "ARG T=latest\nFROM a:${T}\n",
            "ARG T\nFROM a:${T:-latest}\n",
            "ARG END\nFROM a:stable${END}\n",
            "ARG H=localhost:5000\nFROM $H/a/b-c:1.2\n",
        ],
    ),
    (
        "InvalidDefinitionDescription",
        &[
            "# of no use\nFROM a AS x\n",
            "# y is another\nARG z=1\nFROM a\n",
            "FROM a\n# X in capitals\nARG x\n",
            "# of no use\nARG a b\nFROM c\n",
        ],
        &[
            "# x is a stage\nFROM a AS x\n",
            "# of no use\n\nFROM a AS x\n",
            "# of no use\n#\nFROM a AS x\n",
            "# of no use\nFROM a\n# nor this\nRUN x\n",
            "# b is the second\nARG a b\nFROM c\n",
        ],
    ),
    (
        "JSONArgsRecommended",
        &["FROM a\nCMD x y\n", "FROM a\nENTRYPOINT x\n", "FROM a AS b\nSHELL [\"x\"]\nFROM a\nCMD y\n"],
        &[
            "FROM a\nENTRYPOINT [\"x\"]\nCMD [\"y\"]\n",
            "FROM a\nSHELL [\"x\"]\nCMD y\n",
            "FROM a AS b\nSHELL [\"x\"]\nFROM b\nENTRYPOINT y\n",
        ],
    ),
    (
        "LegacyKeyValueFormat",
        &["FROM a\nENV x y\n", "FROM a\nLABEL x y\n"],
        &["FROM a\nENV x=y\nLABEL x=\"y z\"\n"],
    ),
    (
        "MaintainerDeprecated",
        &["FROM a\nMAINTAINER x\n"],
        &["FROM a\nLABEL org.opencontainers.image.authors=x\n"],
    ),
    (
        "MultipleInstructionsDisallowed",
        &[
            "FROM a\nCMD [\"x\"]\nCMD [\"y\"]\n",
            "FROM a\nENTRYPOINT [\"x\"]\nRUN y\nENTRYPOINT [\"x\"]\n",
            "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK CMD x\n",
        ],
        &["FROM a AS b\nCMD [\"x\"]\nFROM b\nCMD [\"y\"]\n"],
    ),
    ("NoEmptyContinuation", &["FROM a\nRUN x \\\n\n  y\n"], &["FROM a\nRUN x \\\n# said\n  y\n"]),
    (
        "RedundantTargetPlatform",
        &["FROM --platform=$TARGETPLATFORM a\n", "FROM --platform=${TARGETPLATFORM} a\n"],
        &["FROM --platform=$BUILDPLATFORM a\n", "FROM --platform=$TARGETPLATFORM/v7 a\n"],
    ),
    (
        "ReservedStageName",
        &["FROM a AS context\n", "FROM scratch AS scratch\n"],
        &["FROM scratch\n", "FROM scratch AS a\n"],
    ),
    (
        "SecretsUsedInArgOrEnv",
        &["FROM a\nARG AWS_SECRET_KEY\n", "FROM a\nENV git_key=\n", "FROM a\nENV x=1 PassWord=y\n"],
        &["FROM a\nENV PUBLIC_KEY=x KEYBOARD=us monkey=1\nARG public_token\nARG SECRETARY\n"],
    ),
    ("StageNameCasing", &["FROM a AS Build\n"], &["FROM a AS build-2\n"]),
    (
        "UndefinedArgInFrom",
        &["FROM a:$NOWHERE-x\n", "FROM --platform=$TARGETPLATFROM a\n", "ARG T=1\nFROM a:${T}${V}\n"],
        &["ARG T=1\nFROM a:$T\n", "FROM --platform=$BUILDPLATFORM a\n"],
    ),
    (
        "UndefinedVar",
        &[
            "FROM scratch\nENV NAME=x\nWORKDIR /$NMAE\n",
            "FROM known\nCOPY $foo .\nARG foo=bar\n",
            "FROM known AS base\nFROM base\nENV PATH=$PAHT:/bin\n",
            "FROM known\nARG a=$b\n",
        ],
        &[
            "FROM known\nCOPY $OF_IMAGE .\n",
            "FROM elsewhere\nCOPY $foo .\n",
            "FROM scratch AS base\nARG foo=x\nFROM base\nCOPY $foo .\n",
            "FROM scratch\nENV PATH=/x:$PATH\nRUN $whatever\n",
        ],
    ),
    (
        "WorkdirRelativePath",
        &["FROM a\nWORKDIR x\n", "FROM a\nWORKDIR x\nWORKDIR y\n", "FROM a AS b\nFROM b\nWORKDIR x\n"],
        &["FROM a\nWORKDIR /x\nWORKDIR y\n", "FROM a AS b\nWORKDIR /x\nFROM b\nWORKDIR y\n"],
    ),
];

#[test]
fn each_rule_is_broken_by_some_files_and_kept_by_others() {
    assert_eq!(CASES.map(|(rule, ..)| rule).to_vec(), RULES.iter().map(|rule| rule.name).collect::<Vec<_>>());
    for (name, bad, good) in CASES {
        let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
        let of = |check: &str, text: &str| {
            let found = warnings(&format!("{check}{text}"));
            found.into_iter().filter(|found| found.starts_with(&format!("{name}: "))).collect::<Vec<_>>()
        };
        let asked = format!("# check=experimental={name}\n");
        let on = if rule.experimental { asked.as_str() } else { "" };
        for text in bad {
            assert_eq!(of(on, text).len(), 1, "{name}: {text}: {:?}", warnings(&format!("{on}{text}")));
            let skipped = if rule.experimental { String::new() } else { format!("# check=skip={name}\n") };
            assert_eq!(of(&skipped, text), [""; 0], "{name} is skipped: {text}");
            let all = of("# check=skip=all\n", text);
            assert_eq!(all, [""; 0], "{name} is skipped with all: {text}");
        }
        for text in good {
            assert_eq!(of(on, text), [""; 0], "{name}: {text}");
        }
    }
}

#[test]
fn a_file_that_is_right_has_none() {
    let text = "ARG TAG=1\nFROM --platform=$BUILDPLATFORM a:$TAG AS build\nARG X=1\nENV Y=$X PATH=/x:$PATH\n\
                WORKDIR /w\nWORKDIR y\nCOPY in /x\nRUN x\nFROM build\nENV PUBLIC_KEY=x\nEXPOSE 80/tcp\n\
                HEALTHCHECK CMD x\nCMD [\"x\"]\n";
    assert_eq!(warnings(text), [""; 0]);
    assert!(warnings("from a as b\nrun x\n").is_empty());
}

#[test]
fn a_check_directive_is_read() {
    let keeps =
        |checks: &Checks, name: &str| checks.wants(RULES.iter().find(|rule| rule.name == name).unwrap());
    let checks =
        Checks::parse("skip=FromAsCasing, undefinedvar ;error=True;experimental=CopyIgnoredFile").unwrap();
    assert!(checks.error && !keeps(&checks, "UndefinedVar") && keeps(&checks, "StageNameCasing"));
    assert!(keeps(&checks, "CopyIgnoredFile") && !keeps(&checks, "InvalidDefinitionDescription"));
    // What is asked for stays asked for where all others are skipped.
    let checks = Checks::parse("skip=all;experimental=all;error=0").unwrap();
    assert!(!checks.error && !keeps(&checks, "UndefinedVar") && keeps(&checks, "CopyIgnoredFile"));
    assert!(keeps(&Checks::parse("").unwrap(), "UndefinedVar"));
    for bad in ["skipp=A", "error=perhaps", "x", "skip=", "error"] {
        assert!(Checks::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_a_build_is_given_stands_in_place_of_the_directive() {
    let source = Source::new("D", b"# check=skip=all\nFROM a\n").unwrap();
    let dockerfile = parse(&source).dockerfile;
    let arguments = [(CHECKS_ARGUMENT.to_owned(), "error=true".to_owned())].into();
    let given = Given { arguments, ..Given::default() };
    assert_eq!(Checks::of(&dockerfile, &given), Checks::parse("error=true"));
    assert_eq!(Checks::of(&dockerfile, &Given::default()), Checks::parse("skip=all"));
}

#[test]
fn many_stages_and_variables_are_looked_at_in_one_pass() {
    // Each of these had, or could have, a way to take time or memory that grows with the square of the file.
    let files: [fn(usize) -> String; 5] = [
        |number| format!("FROM scratch AS s{number}\n"),
        |number| {
            format!("FROM s{} AS s{number}\nENV V{number}=1\nLABEL x=$V{number}$V0\n", number.max(1) - 1)
        },
        |number| format!("FROM scratch AS a{number}\nCOPY --from=a{} /a /b\n", number.max(1) - 1),
        |number| format!("FROM scratch\nCOPY --from=s{number} $UNKNOWN{number} /b\n"),
        |number| format!("ARG A{number}=$A{}\nFROM scratch:$B{number}\n", number + 1),
    ];
    for file in files {
        let text: String = (0..10_000).map(file).collect();
        let source = Source::new("D", text.as_bytes()).unwrap();
        let parsed = parse(&source);
        let _ = crate::Graph::new(&parsed.dockerfile, &source, &Given::default(), None);
        warnings(&text);
    }
}
