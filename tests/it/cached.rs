//! Stories of cached containers: a known step is not done again, and nothing else changes.

mod elsewhere;
mod honesty;
mod ordinary;
mod record;
mod scripts;

use crate::support::{Env, with_shell};

/// A new cached container of the base.
fn from(env: &Env) -> String {
    env.ok(["from", "--cached", "localhost/base"])
}

/// What Kiln says of a step, without what the command itself says.
fn fate(env: &Env, args: &[&str]) -> String {
    let outcome = env.kiln(args);
    assert_eq!(outcome.code, 0, "kiln {args:?}: {outcome:#?}");
    let said = |line: &&str| {
        ["cached", "missed: ", "not cached: ", "ran "].iter().any(|word| line.starts_with(word))
    };
    let lines: Vec<&str> = outcome.stderr.lines().filter(said).collect();
    match lines.as_slice() {
        ["cached"] => "cached".to_owned(),
        [why, ran] if ran.starts_with("ran ") => (*why).to_owned(),
        [ran] if ran.starts_with("ran ") => "ran".to_owned(),
        _ => panic!("kiln {args:?} says {lines:?}"),
    }
}
