//! Builds with verbs that only write down what they were asked.

use std::iter;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::verbs::{Copy, Origin};

/// Gives every stage a container of its own and keeps a list of what was done.
#[derive(Default)]
struct Notes {
    lines: Mutex<Vec<String>>,
    on_build: Vec<String>,
    /// The stage that has those.
    on_build_at: usize,
    env: Vec<(String, String)>,
    fails_at: Option<&'static str>,
    /// How many stages must be at work before one goes on.
    together: usize,
    running: AtomicUsize,
}

impl Verbs for Notes {
    type Error = String;

    fn begin(&self, stage: &StageName, base: &Base) -> Result<Begun, String> {
        let container = format!("c{}", stage.index);
        self.note([format!("{container} begins on {base:?}")]);
        self.running.fetch_add(1, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) < self.together {
            std::thread::yield_now();
        }
        let on_build = if stage.index == self.on_build_at { self.on_build.clone() } else { Vec::new() };
        Ok(Begun { container, env: self.env.clone(), on_build, ..Begun::default() })
    }

    fn perform(&self, container: &str, step: &Step) -> Result<String, String> {
        if self.fails_at.is_some_and(|text| step.text.contains(text)) {
            return Err("it failed".to_owned());
        }
        let verbs = step.verbs.iter().map(|verb| format!("  {}", show(verb)));
        self.note(iter::once(format!("{container} {}", step.text)).chain(verbs));
        Ok(container.to_owned())
    }
}

impl Notes {
    /// Writes lines that stay together: other stages are at work beside this one.
    fn note(&self, lines: impl IntoIterator<Item = String>) {
        self.lines.lock().unwrap().extend(lines);
    }
}

fn show(verb: &Verb) -> String {
    match verb {
        Verb::Run(run) => format!("run {:?} {:?}", run.args, run.env),
        Verb::Copy(Copy { sources, inline, destination, origin, .. }) => match origin {
            Origin::Context => format!("copy {sources:?} {inline:?} {destination}"),
            other => format!("copy {sources:?} {destination} of {other:?}"),
        },
        Verb::MakeDirectory { path, owner } => format!("mkdir {path} {owner}").trim_end().to_owned(),
        Verb::Config(edits) => format!("config {edits:?}"),
    }
}

fn build(text: &str, notes: &Notes, arguments: &[(&str, &str)]) -> Result<Built, Failed<String>> {
    build_by(text, notes, arguments, 0)
}

fn build_by(
    text: &str,
    notes: &Notes,
    arguments: &[(&str, &str)],
    jobs: usize,
) -> Result<Built, Failed<String>> {
    let source = Source::new("Dockerfile", text.as_bytes()).unwrap();
    let parsed = parse(&source);
    assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let given = Given { arguments: arguments.iter().map(pair).collect(), ..Given::default() };
    let graph = Graph::new(&parsed.dockerfile, &source, &given, None).unwrap();
    let build = Build {
        dockerfile: &parsed.dockerfile,
        source: &source,
        graph: &graph,
        given: &given,
        jobs,
        all: false,
    };
    execute(build, notes)
}

fn lines(text: &str, arguments: &[(&str, &str)]) -> Vec<String> {
    let notes = Notes { env: vec![("PATH".into(), "/bin".into())], ..Notes::default() };
    build(text, &notes, arguments).unwrap();
    notes.lines.into_inner().unwrap()
}

#[test]
fn variables_are_put_in_where_they_count() {
    let text = "ARG G=global\nFROM a\nARG G\nARG V=one\nENV E=$V X=$PATH\nENV E=two Y=$E\nRUN echo $V\n\
                WORKDIR /w/$G\nWORKDIR ../z\nCOPY $E/a ${V}/\nLABEL $V=\"$Y x\"\n";
    let told = lines(text, &[("V", "given"), ("UNUSED", "x"), ("http_proxy", "p")]);
    let has = |line: &str| assert!(told.iter().any(|one| one == line), "{line} in {told:#?}");
    has("  config [Env(\"E\", \"given\"), Env(\"X\", \"/bin\")]");
    has("  config [Env(\"E\", \"two\"), Env(\"Y\", \"given\")]");
    has(
        "  run [\"/bin/sh\", \"-c\", \"echo $V\"] [(\"G\", \"global\"), (\"V\", \"given\"), (\"http_proxy\", \"p\")]",
    );
    has("  mkdir /w/global");
    has("  mkdir /w/z");
    has("  copy [\"two/a\"] {} given/");
    has("  config [Label(\"given\", \"given x\")]");
}

#[test]
fn arguments_are_seen_by_stages_on_the_stage_and_by_no_others() {
    let text = "FROM a AS one\nARG X=1 Y=$X\nARG Z=$X\nFROM one\nRUN on\nFROM b\nRUN beside\nFROM one\nENV X=2\n\
                ARG X=3\nRUN changed $X\nWORKDIR /$X$Z\nFROM scratch\nCOPY --from=1 / /\nCOPY --from=2 / /\n\
                COPY --from=3 / /\n";
    let told = lines(text, &[]);
    let after = |line: &str| {
        let place =
            told.iter().position(|one| one.ends_with(line)).unwrap_or_else(|| panic!("{line}: {told:#?}"));
        told[place + 1].as_str()
    };
    // The defaults of one instruction do not see each other.
    assert!(after("RUN on").ends_with(r#"[("X", "1"), ("Y", ""), ("Z", "1")]"#), "{told:#?}");
    assert!(after("RUN beside").ends_with(" []"), "{told:#?}");
    // What the environment has goes before what is declared, also later.
    assert!(after("RUN changed $X").ends_with(r#"[("Y", ""), ("Z", "1")]"#), "{told:#?}");
    assert!(after("WORKDIR /$X$Z").contains("/21"), "{told:#?}");
}

#[test]
fn commands_and_heredocs() {
    let text = "FROM a\nSHELL [\"/bin/x\", \"-y\"]\nCMD a b\nENTRYPOINT [\"e\"]\nRUN <<E\none\ntwo\nE\n\
                RUN cat <<A >f\nin a\nA\nRUN <<'P'\n\
                #!/usr/bin/python\nprint()\nP\nENV V=1\nCOPY <<F <<'G' /d/\n$V\nF\n$V\nG\n";
    let told = lines(text, &[]);
    let has = |line: &str| assert!(told.iter().any(|one| one.contains(line)), "{line} in {told:#?}");
    has("config [Cmd(Some([\"/bin/x\", \"-y\", \"a b\"]))]");
    has("config [Entrypoint(Some([\"e\"]))]");
    has("run [\"/bin/x\", \"-y\", \"one\\ntwo\\n\"] []");
    has("run [\"/bin/x\", \"-y\", \"cat <<A >f\\nin a\\nA\"] []");
    has("run [] []");
    has("copy [] {\"F\": \"1\\n\", \"G\": \"$V\\n\"} /d/");
}

#[test]
fn an_entrypoint_takes_the_command_of_the_base_away() {
    let told = lines("FROM a\nENTRYPOINT x\n", &[]);
    assert!(told.iter().any(|line| line.contains("Cmd(None)")), "{told:#?}");
}

#[test]
fn files_come_from_containers_of_stages() {
    let told = lines("FROM a AS one\nFROM b\nCOPY --from=one /x /y\nCOPY --from=other /x /z\n", &[]);
    assert!(told.contains(&"  copy [\"/x\"] /y of Container(\"c0\")".to_owned()), "{told:#?}");
    assert!(told.contains(&"  copy [\"/x\"] /z of Named(\"other\")".to_owned()), "{told:#?}");
}

#[test]
fn stages_go_on_side_by_side() {
    let text =
        "FROM a AS one\nRUN x\nFROM b AS two\nRUN y\nFROM c\nCOPY --from=one /x /y\nCOPY --from=two /x /y\n";
    // Ends only if all three are at work at once, though the last needs the others.
    let notes = Notes { together: 3, ..Notes::default() };
    assert_eq!(build(text, &notes, &[]).unwrap().container, "c2");
}

#[test]
fn what_the_base_has_for_builds_on_it_comes_first() {
    let notes = Notes { on_build: vec!["RUN echo $X".into(), "COPY a /b".into()], ..Notes::default() };
    build("FROM a\nCMD [\"x\"]\n", &notes, &[]).unwrap();
    let told = notes.lines.into_inner().unwrap();
    let steps: Vec<&str> = told.iter().map(String::as_str).filter(|line| line.starts_with("c0 ")).collect();
    assert_eq!(steps[1..], ["c0 ONBUILD", "c0 RUN echo $X", "c0 COPY a /b", "c0 CMD [\"x\"]"]);
    let wrong = Notes { on_build: vec!["RNU x".into()], ..Notes::default() };
    assert!(matches!(build("FROM a\n", &wrong, &[]), Err(Failed::Words(_))));
}

#[test]
fn triggers_take_files_of_stages_that_nothing_else_needs() {
    let text = "FROM a AS Below\nRUN below\nFROM below AS made\nRUN made\nFROM b AS other\nRUN other\n\
                FROM c\nRUN own\n";
    for jobs in [0, 1] {
        let on_build = vec!["COPY --from=made /x /y".into(), "RUN --mount=from=0,target=/m x".into()];
        let notes = Notes { on_build, on_build_at: 3, ..Notes::default() };
        build_by(text, &notes, &[], jobs).unwrap();
        let told = notes.lines.into_inner().unwrap();
        let place = |line: &str| told.iter().position(|one| one.contains(line)).unwrap_or(usize::MAX);
        assert!(place("c0 RUN below") < place("c1 RUN made"), "{told:#?}");
        assert!(place("c1 RUN made") < place("copy [\"/x\"] /y of Container(\"c1\")"), "{told:#?}");
        assert!(place("c3 RUN own") != usize::MAX && place("RUN other") == usize::MAX, "{told:#?}");
    }
    // What fails there fails the build.
    let on_build = vec!["COPY --from=made /x /y".into()];
    let notes = Notes { on_build, on_build_at: 3, fails_at: Some("RUN below"), ..Notes::default() };
    assert!(matches!(build(text, &notes, &[]), Err(Failed::Verb { span, .. }) if span.first == 2));
}

#[test]
fn a_failure_ends_the_build_and_is_told_with_its_place() {
    let notes = Notes { fails_at: Some("RUN bad"), ..Notes::default() };
    let failed = build("FROM a AS one\nRUN good\nRUN bad \\\n  more\nFROM one\nRUN never\n", &notes, &[]);
    let Err(Failed::Verb { stage, span, text, error }) = failed else { panic!("{failed:?}") };
    assert_eq!((stage.name.as_deref(), span.first, text.as_str()), (Some("one"), 3, "RUN bad more"));
    assert_eq!(error, "it failed");
    assert!(!notes.lines.into_inner().unwrap().iter().any(|line| line.contains("never")));
    let required = build("FROM a\nLABEL x=${Y:?give-it}\n", &Notes::default(), &[]);
    let Err(Failed::Words(found)) = required else { panic!("{required:?}") };
    assert!(found[0].to_string().contains("Y: give-it"));
}
