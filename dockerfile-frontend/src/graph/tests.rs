//! Which stages there are, what they need, and which references are wrong.

use super::*;
use crate::parser::parse;

fn graph(text: &str, target: Option<&str>) -> Result<Graph, Vec<String>> {
    let source = Source::new("Dockerfile", text.as_bytes()).unwrap();
    let parsed = parse(&source);
    assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
    Graph::new(&parsed.dockerfile, &source, &Given::default(), target)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn only_what_the_target_needs_is_built() {
    let text = "FROM a AS one\nRUN x\nFROM b AS two\nCOPY --from=one /x /y\nFROM c AS three\nFROM two\n\
                RUN --mount=type=bind,from=one,target=/m x\n";
    let last = graph(text, None).unwrap();
    assert_eq!((last.target, last.needed()), (3, vec![0, 1, 3]));
    assert_eq!(graph(text, Some("three")).unwrap().needed(), [2]);
    assert_eq!(graph(text, Some("TWO")).unwrap().needed(), [0, 1]);
    assert_eq!(graph(text, Some("0")).unwrap().needed(), [0]);
    assert_eq!(last.stages[3].base, StageBase::Stage(1));
}

#[test]
fn names_are_looked_for_among_earlier_stages_only() {
    let same = graph("FROM scratch AS x\nFROM x\nFROM y AS z\nFROM X\n", None).unwrap();
    assert_eq!(same.stages[1].base, StageBase::Stage(0));
    assert_eq!(same.stages[3].base, StageBase::Stage(0));
    assert_eq!(same.stages[2].base, StageBase::Image { name: "y".into(), platform: None });
    let own = graph("FROM debian AS debian\nCOPY --from=alpine /a /b\n", None).unwrap();
    assert_eq!(own.stages[0].base, StageBase::Image { name: "debian".into(), platform: None });
    assert!(own.stages[0].needs.is_empty());
    // Of two with one name it is the later one, from there on.
    let two = "FROM a AS x\nFROM x\nFROM b AS X\nFROM x\nCOPY --from=x /a /b\nFROM c AS x\n";
    let two = graph(two, Some("x")).unwrap();
    assert_eq!((&two.stages[1].base, &two.stages[3].base), (&StageBase::Stage(0), &StageBase::Stage(2)));
    assert_eq!((two.stages[3].references["x"], two.target), (2, 4));
}

#[test]
fn arguments_before_the_first_from_name_images() {
    let found = graph("ARG T=1\nARG I=base:${T}\nFROM --platform=$P $I\n", None).unwrap();
    assert_eq!(found.stages[0].base, StageBase::Image { name: "base:1".into(), platform: None });
    let faults = graph("FROM $NOTHING\n", None).unwrap_err();
    assert!(faults[0].contains("`$NOTHING` names no image"), "{faults:?}");
}

#[test]
fn references_to_later_stages_to_oneself_and_to_nothing_are_wrong() {
    for (text, says) in [
        ("FROM a AS x\nCOPY --from=x /a /b\n", "takes files of itself"),
        ("FROM a\nCOPY --from=later /a /b\nFROM b AS later\n", "comes later"),
        ("FROM a\nCOPY --from=0 /a /b\n", "takes files of itself"),
        ("FROM a\nCOPY --from=7 /a /b\n", "there is no stage 7"),
    ] {
        let faults = graph(text, None).unwrap_err();
        assert!(faults[0].contains(says), "{faults:?}");
    }
    let faults = graph("FROM a AS build\nFROM b AS run\n", Some("biuld")).unwrap_err();
    assert!(faults[0].contains("did you mean `--target build`?"), "{faults:?}");
    let near = graph("FROM a AS build\nFROM b\nCOPY --from=biuld /a /b\n", None).unwrap();
    assert!(near.warnings[0].to_string().contains("did you mean `build`?"));
}
