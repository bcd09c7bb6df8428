//! How a log divides into layers, and what history says of them.

use super::*;
use crate::store::{Outcome, Step, StepKind};

fn log(entries: &[Logged]) -> Vec<LogEntry> {
    (0..).zip(entries).map(|(at, did)| LogEntry { at, did: did.clone() }).collect()
}

fn step(line: &str) -> Logged {
    Logged::Step(Box::new(Step {
        kind: StepKind::Run,
        line: line.to_owned(),
        outcome: Outcome::Performed,
        milliseconds: 0,
        key: None,
        after: None,
        why: Vec::new(),
        verb: None,
    }))
}

fn froze(digit: char) -> Logged {
    Logged::Froze(TreeId::parse(&digit.to_string().repeat(32)).unwrap())
}

fn created_by(line: &str) -> Logged {
    Logged::Config(vec![ConfigEdit::User("u".into()), ConfigEdit::CreatedBy(line.to_owned())])
}

fn history(line: &str) -> Logged {
    Logged::History(line.to_owned())
}

/// Each line with the first digits of its trees.
fn shown(entries: &[Logged]) -> Vec<String> {
    let lines = lines(&log(entries));
    let trees = |line: &Line| line.trees.iter().map(|tree| &tree.as_str()[..1]).collect::<String>();
    lines.iter().map(|line| format!("{}@{}={}", line.text, line.at, trees(line))).collect()
}

#[test]
fn each_step_with_files_is_a_layer_of_its_own_line() {
    let log = [step("a"), froze('1'), step("b"), step("c"), froze('2'), history("of c"), history("more")];
    assert_eq!(shown(&log), ["a@0=1", "of c@3=2", "more@6="]);
    assert_eq!(shown(&[froze('1'), step("a")]), ["changed by hand@0=1"]);
    assert_eq!(shown(&[]), [""; 0]);
}

#[test]
fn a_line_of_what_made_it_closes_a_layer() {
    let log = [
        step("a"),
        froze('1'),
        step("b"),
        history("between"),
        step("c"),
        froze('2'),
        created_by("one"),
        step("config"),
        created_by("nothing"),
        step("d"),
        froze('3'),
    ];
    assert_eq!(shown(&log), ["between@3=", "one@6=21", "nothing@8=", "d@9=3"]);
}

#[test]
fn the_last_layer_may_be_left_out_of_history() {
    let lines = lines(&log(&[step("a"), froze('1'), step("b"), froze('2'), history("e")]));
    let by_step = ByStep { lower: Vec::new(), lines };
    let empty = |is_empty| {
        let history = by_step.history(is_empty, |at| at);
        history.iter().map(|entry| (entry.created_by.clone(), entry.empty_layer)).collect::<Vec<_>>()
    };
    assert_eq!(empty(false), [("a".into(), false), ("e".into(), false)]);
    assert_eq!(empty(true), [("a".into(), false), ("e".into(), true)]);
    let none = ByStep { lower: Vec::new(), lines: vec![Line { at: 0, text: "x".into(), trees: Vec::new() }] };
    assert!(none.history(true, |at| at)[0].empty_layer);
    assert!(!none.history(false, |at| at)[0].empty_layer);
}
