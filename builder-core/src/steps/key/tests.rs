//! Keys: what changes one, and what does not.

use proptest::prelude::*;

use super::*;

fn key(fields: &[(String, Vec<u8>)], before: &str) -> Digest {
    let mut step = Definition::new(StepKind::Run, String::new());
    for (name, value) in fields {
        step.field(name.as_str(), value);
    }
    step.key(Digest::of(before.as_bytes()))
}

fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    proptest::collection::vec(("[ab]{0,3}", proptest::collection::vec(0..3_u8, 0..4)), 0..4)
}

proptest! {
    /// Nothing that is told apart shares a key: names, values, their borders, their order, the files below.
    #[test]
    fn distinct_steps_never_share_a_key(one in fields(), other in fields(), below in "[ab]", under in "[ab]") {
        // Equal names get a mark, which is no name of these.
        prop_assert_eq!(key(&one, &below) == key(&other, &under), one == other && below == under);
    }

    /// The words of a line come back as they were.
    #[test]
    fn a_line_is_what_a_shell_takes(words in proptest::collection::vec("[ -~]{0,6}", 1..4)) {
        let line = shell_line(&words);
        let said = std::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output();
        let said = String::from_utf8(said.unwrap().stdout).unwrap();
        prop_assert_eq!(said.lines().map(str::to_owned).collect::<Vec<_>>(), words);
    }
}

#[test]
fn the_sort_of_a_step_counts_and_its_words_do_not() {
    let of = |kind, line: &str| Definition::new(kind, line.to_owned()).key(Digest::of(b""));
    assert_ne!(of(StepKind::Run, ""), of(StepKind::Copy, ""));
    assert_eq!(of(StepKind::Run, "a"), of(StepKind::Run, "b"));
}

#[test]
fn what_is_shown_is_short_and_whole_characters() {
    let mut step = Definition::new(StepKind::Run, String::new());
    step.field("long", "\u{e9}".repeat(200));
    assert_eq!(step.fields[0].shown, format!("{}…", "\u{e9}".repeat(80)));
}
