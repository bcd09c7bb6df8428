//! Words that make no sense, for every flag of the verbs that work on containers: each is refused in one sentence that
//! has the word in it, and nothing has changed; or it is on the list of what a flag takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use crate::support::env::Outcome;
use crate::support::{Env, with_container};

/// Longer than anything that a flag means.
const LONG: usize = 5_000;

/// The words: missing, out of range, escaping, injected, oversized.
fn words() -> Vec<String> {
    let short = [
        "",
        "-1",
        "+0",
        "4294967296",
        "99999999999999999999999",
        "../nosuch",
        "/proc/self/fd/99",
        "a\nb: c",
        "\u{1b}[31mred",
        "x,lowerdir=/",
        "$(touch injected)",
        ":",
        "=",
        "a=b\u{7}",
    ];
    short.into_iter().map(str::to_owned).chain(["x".repeat(LONG)]).collect()
}

/// Flags whose words this machine takes or not, by what it has: control groups, programs for networks. They are tried
/// as all others, but for the list.
const OF_THE_MACHINE: [&str; 9] = [
    "cgroup-parent",
    "cpu-period",
    "cpu-quota",
    "cpu-shares",
    "cpuset-cpus",
    "cpuset-mems",
    "memory",
    "memory-swap",
    "network",
];

/// Every flag of a verb that takes a value.
fn flags(env: &Env, verb: &str) -> BTreeSet<String> {
    let help = env.ok([verb, "--help"]);
    let line = Regex::new(r"(?m)^ +(?:-[a-zA-Z], )?--([a-z][a-z-]*)(?: <|\[=)([A-Za-z:=\[\]_/,.-]+)")
        .expect("a pattern");
    let found: BTreeSet<String> = line
        .captures_iter(&help)
        .filter(|found| &found[2] != "BOOL")
        .map(|found| found[1].to_owned())
        .collect();
    assert!(found.len() > 10, "the help of {verb} has changed its form: {found:?}");
    found
}

/// What must not change where a verb fails: which containers and images there are, and what is written of `c`.
fn state(env: &Env) -> Vec<Vec<u8>> {
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    let store = env.store();
    let id = String::from_utf8_lossy(&read(&store.join("names/c"))).into_owned();
    let mut state = vec![
        read(&store.join("containers").join(id.trim()).join("container.json")),
        read(&store.join("images/index.json")),
    ];
    for dir in ["containers", "names", "layers"] {
        let items = std::fs::read_dir(store.join(dir)).into_iter().flatten().flatten();
        let mut names: Vec<_> = items.map(|item| item.file_name().into_encoded_bytes()).collect();
        names.sort();
        state.extend(names);
    }
    state
}

/// What is wrong with how a verb refused a word, if anything is.
fn fault(told: &Outcome, word: &str) -> Option<String> {
    let mut lines = told.stderr.lines();
    let first = lines.next().unwrap_or_default();
    if told.stderr.contains("panicked") {
        return Some("it panics".to_owned());
    }
    if !first.starts_with("Error: cannot ") {
        return Some("it does not say what cannot be done".to_owned());
    }
    if lines.any(|line| !line.starts_with("hint: ")) {
        return Some("it says more than a sentence and a hint".to_owned());
    }
    if told.stderr.chars().any(|c| c.is_control() && c != '\n') {
        return Some("it passes control characters on".to_owned());
    }
    let escaped = word.escape_debug().to_string();
    // Of a long word the beginning is enough; a list may be told word by word.
    let names = |part: &str| first.contains(part.chars().take(20).collect::<String>().as_str());
    let named = names(word)
        || names(&escaped)
        || word.split([',', ':', '=']).any(|part| !part.is_empty() && names(part));
    (!named).then(|| "it does not name the word".to_owned())
}

/// Whether the machine lacks what a word that makes sense asks for.
fn is_lacking(told: &Outcome) -> bool {
    ["Error: cannot limit the command:", "Error: cannot make a network for the command:"]
        .iter()
        .any(|start| told.stderr.starts_with(start))
}

/// Gives each flag each word. `after` is what follows the flag. The answer is which words are taken by which flags.
fn taken(env: &Env, verb: &str, after: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut before = state(env);
    // Whoever gives a name only is asked for the password, on a terminal.
    for flag in flags(env, verb).into_iter().filter(|flag| flag != "creds") {
        // It means nothing by itself.
        let first: &[&str] = if flag == "ignorefile" { &["--contextdir", "."] } else { &[] };
        for word in words() {
            let given = format!("--{flag}={word}");
            let told = env.kiln([verb].iter().chain(first).chain(&[given.as_str()]).chain(after));
            let now = state(env);
            let shown: String = given.escape_debug().to_string().chars().take(60).collect();
            if told.code == 0 {
                let shown = if word.len() == LONG { "xxx".to_owned() } else { word.clone() };
                taken.entry(flag.clone()).or_default().push(shown);
            } else if now != before {
                faults.push(format!("{verb} {shown}: it failed, and something changed"));
            } else if !matches!(told.code, 1 | 125) {
                faults.push(format!("{verb} {shown}: it ends with {}: {}", told.code, told.stderr));
            } else if flag == "runtime-flag" && told.stderr.starts_with("time=") {
                // The runtime has its own words for an option that it has not.
            } else if OF_THE_MACHINE.contains(&flag.as_str()) && is_lacking(&told) {
                // The word is none to complain of.
            } else if let Some(fault) = fault(&told, &word) {
                let said: String = told.stderr.escape_debug().to_string().chars().take(300).collect();
                faults.push(format!("{verb} {shown}: {fault}: {said}"));
            }
            before = now;
        }
    }
    assert!(!Path::new("injected").exists() && !env.path("injected").exists(), "a word was run as a command");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    taken.retain(|flag, _| !OF_THE_MACHINE.contains(&flag.as_str()));
    taken
}

/// What is taken, a flag a line: for review, and to see what changes.
fn shown(taken: &BTreeMap<String, Vec<String>>) -> String {
    let line = |(flag, words): (&String, &Vec<String>)| {
        let all = words.len() == self::words().len();
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.escape_debug())).collect();
        format!("{flag}: {}\n", if all { "any text".to_owned() } else { words.join(" ") })
    };
    taken.iter().map(line).collect()
}

/// Compares what a verb takes with the list in `bad_words/`; with `KILN_TESTS_REWRITE` the list is written.
fn compare(verb: &str, after: &[&str]) {
    let test = format!("bad_words::{verb}");
    let Some(env) = with_container(&test) else { return };
    env.write("file", "content\n");
    let taken = shown(&taken(&env, verb, after));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/bad_words/{verb}.txt"));
    if std::env::var_os("KILN_TESTS_REWRITE").is_some() {
        std::fs::write(&path, taken).expect("the list is written");
        return;
    }
    let expected = std::fs::read_to_string(&path).expect("the list is there");
    assert_eq!(taken, expected, "what {verb} takes; KILN_TESTS_REWRITE=1 writes the list anew, for review");
}

#[test]
fn add() {
    compare("add", &["c", "file", "/"]);
}

#[test]
fn commit() {
    compare("commit", &["-q", "c", "made"]);
}

#[test]
fn config() {
    compare("config", &["c"]);
}

#[test]
fn copy() {
    compare("copy", &["c", "file", "/"]);
}

#[test]
fn from() {
    compare("from", &["-q", "scratch"]);
}

#[test]
fn run() {
    compare("run", &["c", "true"]);
}
