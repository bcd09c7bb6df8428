//! Two other parsers read the same files; where both know a thing, they must agree with ours.

use dockerfile_parser::{Instruction as Theirs, ShellOrExecExpr};
use parse_dockerfile::{Command, Flag, Instruction as Others, Source as OtherSource};

use super::parsed;
use crate::ast::{Body, CommandLine, Copy, CopySource, From};

/// What both oracles read right: no heredocs, which one of them does not know.
const PLAIN: &str = r#"ARG BASE=debian
FROM --platform=linux/amd64 golang:1.22 AS build
WORKDIR /src
COPY go.mod go.sum ./
# a comment
RUN go mod download
COPY --chown=1:1 . .
RUN go build -o /out/app ./... && strip /out/app
RUN ["go", "vet", "./..."]

FROM ${BASE}
ARG VERSION
ARG MODE="fast"
COPY --from=build /out/app /usr/bin/
COPY --from=build ["/a b", "/c d/"]
ENTRYPOINT ["/usr/bin/app", "--flag"]
CMD serve --port 80
FROM scratch as last
CMD ["a", "b c"]
"#;

/// Heredocs as the second oracle knows them: of a RUN only one, at its start.
const HEREDOCS: &str = "FROM a\nRUN <<EOF\necho $x\n\nEOF\nRUN --mount=type=cache,target=/c <<'A'\n1\nA\n\
    COPY --link <<one <<\"two\" plain /dst/\nfirst\none\nsecond\ntwo\nRUN true\n";

fn command(command: &CommandLine) -> String {
    match command {
        CommandLine::Shell(text) => format!("shell {text}"),
        CommandLine::Exec(items) => format!("exec {items:?}"),
    }
}

fn from(from: &From) -> String {
    let name = from.name.as_deref().unwrap_or("-");
    format!("FROM {} {name} {:?}", from.image, from.platform)
}

fn copy(copy: &Copy) -> String {
    let sources = copy.sources.iter().map(|source| match source {
        CopySource::Path(path) => path.clone(),
        CopySource::Heredoc(doc) => format!("<<{:?}", (&doc.content, doc.expand)),
    });
    let flags = [("chown", &copy.chown), ("from", &copy.from)];
    let mut flags: Vec<String> = flags
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")))
        .collect();
    if copy.link {
        flags.push("link".to_owned());
    }
    format!("COPY {flags:?} {:?} {}", sources.collect::<Vec<_>>(), copy.destination)
}

/// Our reading, one line for each instruction that the oracles know in detail.
fn ours(text: &str) -> Vec<String> {
    let parsed = parsed(text);
    assert!(parsed.diagnostics.is_empty(), "{}", parsed.diagnostics[0]);
    let lines = parsed.dockerfile.instructions.iter().filter_map(|instruction| match &instruction.body {
        Body::From(body) => Some(from(body)),
        Body::Copy(body) => Some(copy(body)),
        Body::Cmd(body) => Some(format!("CMD {}", command(&body.command))),
        Body::Entrypoint(body) => Some(format!("ENTRYPOINT {}", command(&body.command))),
        Body::Run(run) => {
            let docs: Vec<_> = run.heredocs.iter().map(|doc| (doc.content.as_str(), doc.expand)).collect();
            let mounts: Vec<_> = run.mounts.iter().map(|mount| mount.text.as_str()).collect();
            let command = if docs.is_empty() { command(&run.command) } else { String::new() };
            Some(format!("RUN {command} {docs:?} {mounts:?}"))
        }
        _ => None,
    });
    lines.collect()
}

#[test]
fn dockerfile_parser_agrees() {
    let command = |command: &ShellOrExecExpr| match command {
        ShellOrExecExpr::Shell(text) => format!("shell {text}"),
        ShellOrExecExpr::Exec(items) => format!("exec {:?}", items.as_str_vec()),
    };
    // It does not know the JSON form of COPY.
    let text: String = PLAIN.split_inclusive('\n').filter(|line| !line.contains("/c d/")).collect();
    let theirs = dockerfile_parser::Dockerfile::parse(&text).expect("the oracle reads it");
    let theirs = theirs.instructions.iter().filter_map(|instruction| match instruction {
        Theirs::From(from) => {
            let name = from.alias.as_ref().map_or("-", |name| name.content.as_str());
            let platform = from.flags.first().map(|flag| flag.value.content.clone());
            Some(format!("FROM {} {name} {platform:?}", from.image.content))
        }
        Theirs::Run(run) => Some(format!("RUN {} [] []", command(&run.expr))),
        Theirs::Cmd(cmd) => Some(format!("CMD {}", command(&cmd.expr))),
        Theirs::Entrypoint(entrypoint) => Some(format!("ENTRYPOINT {}", command(&entrypoint.expr))),
        Theirs::Copy(copy) => {
            let flags: Vec<_> =
                copy.flags.iter().map(|flag| format!("{}={}", flag.name, flag.value)).collect();
            let sources: Vec<_> = copy.sources.iter().map(|source| source.content.as_str()).collect();
            Some(format!("COPY {flags:?} {sources:?} {}", copy.destination))
        }
        _ => None,
    });
    let theirs: Vec<String> = theirs.collect();
    assert_eq!(ours(&text), theirs);
    assert!(theirs.len() > 10, "there is something to compare");
}

#[test]
fn parse_dockerfile_agrees() {
    for text in [PLAIN, HEREDOCS] {
        let theirs = parse_dockerfile::parse(text).expect("the oracle reads it");
        let theirs: Vec<String> = theirs.instructions.iter().filter_map(other).collect();
        assert_eq!(ours(text), theirs);
        assert!(theirs.len() > 4, "there is something to compare");
    }
}

fn other(instruction: &Others) -> Option<String> {
    let flag = |flag: &Flag| match &flag.value {
        Some(value) => format!("{}={}", flag.name.value, value.value),
        None => flag.name.value.to_string(),
    };
    let command = |command: &Command| match command {
        Command::Shell(text) => format!("shell {}", text.value),
        Command::Exec(items) => {
            format!("exec {:?}", items.value.iter().map(|item| item.value.as_ref()).collect::<Vec<_>>())
        }
        _ => "unknown".to_owned(),
    };
    match instruction {
        Others::From(from) => {
            let name = from.as_.as_ref().map_or("-", |(_, name)| name.value.as_ref());
            let platform =
                from.options.first().and_then(|flag| flag.value.as_ref()).map(|value| &value.value);
            Some(format!("FROM {} {name} {platform:?}", from.image.value))
        }
        Others::Cmd(cmd) => Some(format!("CMD {}", command(&cmd.arguments))),
        Others::Entrypoint(entrypoint) => Some(format!("ENTRYPOINT {}", command(&entrypoint.arguments))),
        Others::Run(run) => {
            let docs: Vec<_> = run.here_docs.iter().map(|doc| (doc.value.as_ref(), doc.expand)).collect();
            let flags = run.options.iter().filter(|flag| flag.name.value == "mount");
            let mounts: Vec<_> =
                flags.filter_map(|flag| flag.value.as_ref()).map(|v| v.value.as_ref()).collect();
            let command = if docs.is_empty() { command(&run.arguments) } else { String::new() };
            Some(format!("RUN {command} {docs:?} {mounts:?}"))
        }
        Others::Copy(copy) => {
            let flags: Vec<_> = copy.options.iter().map(flag).collect();
            let sources = copy.src.iter().map(|source| match source {
                OtherSource::Path(path) => path.value.to_string(),
                OtherSource::HereDoc(doc) => format!("<<{:?}", (&doc.value, doc.expand)),
                _ => "unknown".to_owned(),
            });
            Some(format!("COPY {flags:?} {:?} {}", sources.collect::<Vec<_>>(), copy.dest.value))
        }
        _ => None,
    }
}
