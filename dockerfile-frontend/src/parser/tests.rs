//! Tests of `parser`: what is right, what is wrong and how it is told, and that nothing makes it panic.

mod any_bytes;
mod oracles;
mod size;

use proptest::prelude::*;

use crate::ast::{Body, CommandLine, CopySource, Mount, MountKind, Sharing};
use crate::{Parsed, Source, parse};

fn parsed(text: &str) -> Parsed {
    parse(&Source::new("D", text.as_bytes()).expect("a readable source"))
}

/// The last instruction of a file that is right.
#[track_caller]
fn last(text: &str) -> Body {
    let parsed = parsed(&format!("FROM a\n{text}"));
    assert!(parsed.diagnostics.is_empty(), "{text}: {}", parsed.diagnostics[0]);
    parsed.dockerfile.instructions.last().expect("an instruction").body.clone()
}

/// All that is told of a file with one line, which is wrong.
#[track_caller]
fn told(line: &str) -> String {
    let parsed = parsed(&format!("FROM a\n{line}\nUSER last"));
    assert!(parsed.has_errors(), "{line}");
    assert!(
        matches!(parsed.dockerfile.instructions.last().unwrap().body, Body::User(_)),
        "{line}: it went on"
    );
    parsed.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn mount(text: &str) -> Mount {
    let Body::Run(run) = last(&format!("RUN --mount='{text}' true")) else { panic!("a RUN") };
    run.mounts[0].resolve(|value| Ok(value.to_owned())).expect("a right mount")
}

#[test]
fn commands_have_two_forms() {
    let Body::Run(run) = last("RUN --network=none --security=insecure a  b") else { panic!() };
    assert_eq!(run.command, CommandLine::Shell("a  b".to_owned()));
    let Body::Cmd(cmd) = last("CMD []") else { panic!() };
    assert_eq!(cmd.command, CommandLine::Exec(Vec::new()));
    let Body::Shell(shell) = last("SHELL [\"/bin/sh\", \"-c\"]") else { panic!() };
    assert_eq!(shell.shell, ["/bin/sh", "-c"]);
}

#[test]
fn stages_have_names() {
    let parsed = parsed("ARG a=1 b\nFROM --platform=$BUILDPLATFORM x:$a As Build\nFROM build\n");
    assert!(parsed.diagnostics.is_empty());
    let Body::From(from) = &parsed.dockerfile.instructions[1].body else { panic!() };
    assert_eq!((from.image.as_str(), from.name.as_deref()), ("x:$a", Some("build")));
    assert_eq!(from.platform.as_deref(), Some("$BUILDPLATFORM"));
    for bad in ["FROM", "FROM a b", "FROM a AS", "FROM a AS 1b", "FROM a AS b c", "FROM a OF b"] {
        assert!(self::parsed(bad).has_errors(), "{bad}");
    }
}

#[test]
fn mounts_are_understood() {
    let cache = mount("type=cache,id=x,target=/c,sharing=locked,mode=0700,uid=1,gid=2,from=b,source=s");
    assert_eq!((cache.kind, cache.sharing, cache.mode), (MountKind::Cache, Sharing::Locked, Some(0o700)));
    assert!(!cache.readonly);
    assert!(
        mount("target=/a").readonly && !mount("dst=/a,rw").readonly && !mount("target=/a,ro=false").readonly
    );
    assert_eq!(mount("TYPE=TMPFS,target=/t,size=1.5k").size, Some(1536));
    assert!(mount("type=secret,id=k,required,env=K").required);
    assert_eq!(mount("\"type=bind\",\"target=/a,b\"\"c\"").target.as_deref(), Some("/a,b\"c"));
    assert_eq!(mount("type=ssh").kind, MountKind::Ssh);
    let Body::Run(run) = last("RUN --mount=type=cache,target=$T,uid=$U true") else { panic!() };
    let resolved = run.mounts[0].resolve(|value| Ok(value.replace("$T", "/t").replace("$U", "7"))).unwrap();
    assert_eq!((resolved.target.as_deref(), resolved.uid), (Some("/t"), Some(7)));
    assert!(run.mounts[0].resolve(|_| Err("no value".to_owned())).is_err());
}

#[test]
fn wrong_mounts_are_told() {
    for (mount, expected) in [
        ("type=chache,target=/a", "only one of bind, cache"),
        ("taget=/a", "did you mean `target`?"),
        ("target", "has no value"),
        ("type=bind", "needs a `target`"),
        ("type=secret", "needs an `id`"),
        ("type=secret,id=a,source=b", "either"),
        ("type=secret,id=a,from=b", "no option `from`"),
        ("target=/a,sharing=locked", "no option `sharing`"),
        ("target=/a,mode=0700", "no option `mode`"),
        ("type=cache,target=/a,uid=x", "`uid` cannot be `x`"),
        ("type=cache,target=/a,mode=9", "`mode` cannot be"),
        ("type=tmpfs,target=/a,size=big", "`size` cannot be"),
        ("target=/a,from=$x", "not expanded"),
        ("\"target=/a", "not closed"),
        ("target=/a,ro=maybe", "`readonly` cannot be"),
    ] {
        // Single quotes keep the double ones of the options.
        let told = told(&format!("RUN --mount='{mount}' true"));
        assert!(told.contains(expected), "{mount}: {told}");
    }
}

#[test]
fn copies_take_heredocs() {
    let Body::Copy(copy) = last("COPY --link --exclude=a --exclude=b <<-A b <<'C' /d/\n\t1\n\tA\n$x\nC")
    else {
        panic!()
    };
    assert_eq!((copy.link, copy.exclude.len(), copy.destination.as_str()), (true, 2, "/d/"));
    let [CopySource::Heredoc(a), CopySource::Path(b), CopySource::Heredoc(c)] = copy.sources.as_slice()
    else {
        panic!()
    };
    assert_eq!((a.text().as_str(), b.as_str(), c.content.as_str(), c.expand), ("1\n", "b", "$x\n", false));
    let Body::Copy(copy) = last("COPY [\"<<A\", \"/d\"]") else { panic!() };
    assert_eq!(copy.sources, [CopySource::Path("<<A".to_owned())]);
    assert!(told("COPY a <<B\nB").contains("destination"));
    assert!(told("COPY <<A <<A /d/\n1\nA\n2\nA").contains("two heredocs"));
    let Body::Add(add) = last("ADD --checksum=sha256:1 --keep-git-dir=false --unpack a b") else { panic!() };
    assert_eq!((add.keep_git_dir, add.unpack), (Some(false), Some(true)));
}

#[test]
fn triggers_keep_their_text() {
    let Body::Onbuild(onbuild) = last("onbuild RUN cat <<-A\n\tx\n\tA") else { panic!() };
    assert_eq!(onbuild.text, "RUN cat <<-A\n\tx\nA");
    assert!(matches!(*onbuild.trigger, Body::Run(ref run) if run.heredocs.len() == 1));
}

#[test]
fn healthchecks_have_times() {
    let Body::Healthcheck(check) = last(
        "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=0 --start-interval=2ms --retries=3 CMD a b",
    ) else {
        panic!()
    };
    assert_eq!((check.interval, check.timeout), (90_000_000_000, 1_500_000_000));
    assert_eq!((check.start_period, check.start_interval, check.retries), (0, 2_000_000, 3));
    assert_eq!(check.command, Some(CommandLine::Shell("a b".to_owned())));
    assert!(matches!(last("HEALTHCHECK none"), Body::Healthcheck(check) if check.command.is_none()));
}

#[test]
fn mistakes_say_what_helps() {
    for (line, expected) in [
        ("RNU a", "did you mean `RUN`?"),
        ("COPY --form=a b c", "did you mean `--from`?"),
        ("COPY --from b c", "without a blank"),
        ("COPY --from=a --from=b c d", "a second time"),
        ("COPY --link=maybe c d", "`true` or `false`"),
        ("COPY a", "a source and a destination"),
        ("RUN", "no command"),
        ("RUN []", "the command is empty"),
        ("RUN --network=bridge a", "`default` or `none` or `host`"),
        ("RUN --security=none a", "`sandbox` or `insecure`"),
        ("RUN --device=a,b a", "only `name`"),
        ("CMD --x a", "no flag `--x`"),
        ("ENV", "at least one argument"),
        ("ENV =a", "a name is missing"),
        ("ARG =a", "no name"),
        ("SHELL sh -c", "JSON array only"),
        ("SHELL []", "at least one argument"),
        ("VOLUME [\" \"]", "is empty"),
        ("USER", "at least one argument"),
        ("HEALTHCHECK", "at least one argument"),
        ("HEALTHCHECK RUN a", "knows no `RUN`"),
        ("HEALTHCHECK NONE a", "nothing else"),
        ("HEALTHCHECK CMD", "no command"),
        ("HEALTHCHECK --interval=5 CMD a", "such as `30s`"),
        ("HEALTHCHECK --interval=1us CMD a", "at least 1ms"),
        ("HEALTHCHECK --retries=-1 CMD a", "a whole number"),
        ("ONBUILD", "no instruction"),
        ("ONBUILD FROM a", "cannot stand"),
        ("ONBUILD CPOY a b", "did you mean `COPY`?"),
        ("ONBUILD ONBUILD RUN a", "another `ONBUILD`"),
    ] {
        let told = told(line);
        assert!(told.contains(expected), "{line}: {told}");
    }
}

#[test]
fn files_need_a_stage() {
    for (text, expected) in [
        ("", "no instructions"),
        ("# only this\n\n", "no instructions"),
        ("ARG a", "no `FROM`"),
        ("RUN a\nCMD b\nFROM c", "before the first `FROM`"),
        ("FROM a\nRUN <<A\nnever", "the heredoc `A` does not end"),
    ] {
        let errors = parsed(text).diagnostics;
        assert_eq!(errors.len(), 1, "{text}");
        assert!(errors[0].to_string().contains(expected), "{text}: {}", errors[0]);
    }
}

#[test]
fn all_mistakes_are_told_in_order() {
    let parsed = parsed("FROM a\nCOPY b\nFOO\nENV x\nRUN ok\n");
    assert_eq!(
        parsed.diagnostics.iter().map(super::super::diagnostic::Diagnostic::line).collect::<Vec<_>>(),
        [2, 3, 4]
    );
    assert_eq!(parsed.dockerfile.instructions.len(), 2);
}

#[test]
fn large_files_are_read_in_one_pass() {
    let lines =
        |count: usize| format!("FROM a\n{}", "RUN --mount=target=/a b \\\n c\nENV A=b C=d\n".repeat(count));
    assert_eq!(parsed(&lines(40_000)).dockerfile.instructions.len(), 80_001);
    // Each of these had a way to take time or memory that grows with the square of the file.
    let wrong = format!("FROM a\nRUN {} b", "--mount=x \\\n".repeat(100_000));
    assert!(parsed(&wrong).has_errors());
    assert!(parsed(&"x\n".repeat(400_000)).has_errors());
    // Many warnings do not hide an error.
    assert!(parsed(&format!("FROM a\n{}NOSUCH", "RUN a \\\n\nb\n".repeat(1_000))).has_errors());
    let names: String = (0..50_000).map(|number| format!(" <<a{number}")).collect();
    let ends: String = (0..50_000).map(|number| format!("a{number}\n")).collect();
    assert!(!parsed(&format!("FROM a\nCOPY{names} /b/\n{ends}")).has_errors());
    assert!(parsed(&format!("FROM a\nRUN {}", "x".repeat(4 << 20))).diagnostics.is_empty());
}

/// Pieces that mean something to the parser, in any order, and some that do not.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "FROM a\n",
            "RUN ",
            "COPY ",
            "ONBUILD ",
            "ENV ",
            "HEALTHCHECK ",
            "CMD ",
            "ARG ",
            "LABEL ",
            "\\\n",
            "\n",
            "\r\n",
            " ",
            "\t",
            "<<E",
            "<<-\"E\"",
            "E\n",
            "--mount=",
            "--from=",
            "type=cache,",
            "target=",
            "--",
            "\"",
            "'",
            "[",
            "]",
            "\"a\"",
            ",",
            "=",
            "$",
            "${",
            "}",
            ":-",
            "#",
            "/",
            "%",
            "`",
            "# escape=`\n",
            "x",
            "é",
            "\u{feff}",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

// For longer: PROPTEST_CASES=1000000 cargo nextest run -p dockerfile-frontend no_bytes_make_it_panic; or the fuzz
// target, which looks where it gets to: dockerfile-frontend/fuzz/run SECONDS
proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in pieces()) {
        any_bytes::any_bytes(&bytes);
    }
}
