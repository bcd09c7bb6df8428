//! How much of Buildah's command line there is: every flag of `surface/flags.txt` is in the help of its verb, or in
//! `surface/missing.txt` with the reason, and then refused. The README's table is what is counted here.
//!
//! With `KILN_TESTS_REWRITE` set, the table and the list of what is missing are brought up to date, for review: a flag
//! that came goes from the list; one that has no reason yet gets `TODO`, which fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use regex::Regex;

use crate::support::Env;

/// One flag of a command.
type Flag = (String, String);

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of a data file, split at tabs.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = read(name);
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Every flag with its weight.
fn flags() -> BTreeMap<Flag, u32> {
    let rows = rows("tests/it/surface/flags.txt").into_iter();
    rows.map(|row| {
        let [command, flag, _, weight] = row.as_slice() else { panic!("{row:?} has other columns") };
        ((command.clone(), flag.clone()), weight.parse().expect("a weight"))
    })
    .collect()
}

/// Why a flag is missing.
fn missing() -> BTreeMap<Flag, String> {
    let rows = rows("tests/it/surface/missing.txt").into_iter();
    rows.map(|row| {
        let [command, flag, reason] = row.as_slice() else { panic!("{row:?} has other columns") };
        ((command.clone(), flag.clone()), reason.clone())
    })
    .collect()
}

/// The flags that the help of a command tells of; none if there is no such command.
fn in_help(env: &Env, command: &str) -> BTreeSet<String> {
    let words: Vec<&str> = if command == "(all)" { Vec::new() } else { command.split(' ').collect() };
    let told = env.kiln(words.iter().copied().chain(["--help"]));
    // With a word that is no command behind it, the help is that of the command before.
    let usage = format!("Usage: {}", ["kiln"].iter().chain(&words).copied().collect::<Vec<_>>().join(" "));
    let is_own = told.stdout.lines().any(|line| line == usage || line.starts_with(&format!("{usage} ")));
    if told.code != 0 || !is_own {
        return BTreeSet::new();
    }
    let line = Regex::new(r"(?m)^ +(?:-[a-zA-Z], )?(--[a-z][a-z-]*)").expect("a pattern");
    let aliases = Regex::new(r"\[alias(?:es)?: ([^\]]*)\]").expect("a pattern");
    let mut found: BTreeSet<String> =
        line.captures_iter(&told.stdout).map(|found| found[1].to_owned()).collect();
    let words = aliases
        .captures_iter(&told.stdout)
        .flat_map(|found| found[1].split([',', ' ', '\n']).map(str::to_owned).collect::<Vec<_>>());
    found.extend(words.filter(|word| word.starts_with("--")));
    found
}

/// The README's table, a row for each command, the most used first.
fn table(flags: &BTreeMap<Flag, u32>, present: &BTreeSet<Flag>) -> String {
    let mut rows: BTreeMap<&str, (usize, usize, u32, u32)> = BTreeMap::new();
    for (flag, weight) in flags {
        let row = rows.entry(&flag.0).or_default();
        let has = present.contains(flag);
        row.0 += usize::from(has);
        row.1 += 1;
        row.2 += if has { *weight } else { 0 };
        row.3 += weight;
    }
    let mut sorted: Vec<_> = rows.into_iter().collect();
    sorted.sort_by_key(|(command, row)| (std::cmp::Reverse(row.3), *command));
    let share = |part: u32, whole: u32| (part * 100).checked_div(whole).unwrap_or(100);
    let mut drawn =
        "| command | flags | with effect | of what is used |\n| --- | --- | --- | --- |\n".to_owned();
    let mut sum = (0, 0, 0, 0);
    for (command, row) in &sorted {
        let share = share(row.2, row.3);
        writeln!(drawn, "| `{command}` | {} | {} | {share} % |", row.1, row.0).expect("a string");
        sum = (sum.0 + row.0, sum.1 + row.1, sum.2 + row.2, sum.3 + row.3);
    }
    writeln!(drawn, "| all | {} | {} | {} % |", sum.1, sum.0, share(sum.2, sum.3)).expect("a string");
    drawn
}

const BEGIN: &str = "<!-- counted by tests/it/surface.rs -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn every_flag_has_its_effect_or_a_reason() {
    let env = Env::new();
    let (flags, mut missing) = (flags(), missing());
    let commands: BTreeSet<&str> = flags.keys().map(|(command, _)| command.as_str()).collect();
    let help: BTreeMap<&str, BTreeSet<String>> =
        commands.into_iter().map(|command| (command, in_help(&env, command))).collect();
    let present: BTreeSet<Flag> =
        flags.keys().filter(|flag| help[flag.0.as_str()].contains(&flag.1)).cloned().collect();

    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has the table's beginning");
    let (shown, after) = rest.split_once(END).expect("the README has the table's end");
    let counted = table(&flags, &present);
    if std::env::var_os("KILN_TESTS_REWRITE").is_some() {
        missing.retain(|flag, _| flags.contains_key(flag) && !present.contains(flag));
        for flag in flags.keys().filter(|flag| !present.contains(flag)) {
            missing.entry(flag.clone()).or_insert_with(|| "TODO".into());
        }
        let mut text = "# Flags of Buildah that Kiln has not: command, flag, why.\n".to_owned();
        for ((command, flag), reason) in &missing {
            writeln!(text, "{command}\t{flag}\t{reason}").expect("a string");
        }
        std::fs::write(file("tests/it/surface/missing.txt"), text).expect("the list is written");
        std::fs::write(file("README.md"), format!("{before}{BEGIN}{counted}{END}{after}"))
            .expect("the README is written");
    } else {
        assert_eq!(shown, counted, "the README's table; KILN_TESTS_REWRITE=1 brings it up to date");
    }
    for (flag, reason) in &missing {
        assert!(flags.contains_key(flag), "{flag:?} is no flag of Buildah");
        assert!(!present.contains(flag), "{flag:?} is not missing any more: take it off the list");
        assert!(!reason.is_empty() && reason != "TODO", "{flag:?} is missing without a reason");
    }
    for flag in flags.keys().filter(|flag| !present.contains(flag)) {
        assert!(missing.contains_key(flag), "{flag:?} is neither in the help nor on the list");
    }
}

#[test]
fn what_is_missing_is_refused() {
    let env = Env::new();
    for (command, flag) in missing().into_keys() {
        let words: Vec<&str> = if command == "(all)" { Vec::new() } else { command.split(' ').collect() };
        let given = format!("{flag}=1");
        let verb =
            if command == "(all)" { vec![given.as_str(), "images"] } else { vec![given.as_str(), "x", "y"] };
        let told = env.kiln(words.iter().copied().chain(verb));
        assert_eq!(told.code, 125, "{command} {flag}: {told:?}");
        assert!(told.stderr.contains("Error: cannot"), "{command} {flag}: {told:?}");
        assert!(told.stdout.is_empty(), "{command} {flag}: {told:?}");
    }
}
