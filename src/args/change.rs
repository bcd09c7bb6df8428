//! `--change INSTRUCTION` and `--config FILE`: what an image shall say of itself, in the words of a Dockerfile or as
//! the JSON of a config, as edits.

use std::io::Read;
use std::path::Path;

use builder_core::{ConfigEdit as E, Error, Healthcheck, Kind, Result};
use dockerfile_frontend::ast::{Body, CommandLine, Healthcheck as Check};
use dockerfile_frontend::{Severity, Source, parse, words::Words};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The largest file `--config` takes, bytes.
const MAX_CONFIG: u64 = 4 << 20;

/// The edits of one instruction.
pub fn of_instruction(line: &str) -> Result<Vec<E>> {
    let sentence = format!("cannot make the change `{line}`");
    let invalid = |cause: String| {
        Error::invalid(sentence.clone()).because(cause).hint(
            "a change is one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, MAINTAINER, ONBUILD, SHELL, \
             STOPSIGNAL, USER, VOLUME and WORKDIR: --change 'CMD [\"/bin/sh\"]'",
        )
    };
    let text = format!("FROM scratch\n{line}\n");
    let source = Source::new("--change", text.as_bytes()).map_err(|found| invalid(found.message))?;
    let parsed = parse(&source);
    if let Some(found) = parsed.diagnostics.into_iter().find(|found| found.severity == Severity::Error) {
        return Err(invalid(found.message));
    }
    let mut bodies = parsed.dockerfile.instructions.into_iter().skip(1).map(|instruction| instruction.body);
    let (Some(body), None) = (bodies.next(), bodies.next()) else {
        return Err(invalid("it is not one instruction".into()));
    };
    edits(body).map_err(invalid)
}

/// What an instruction changes, or why it changes no config.
fn edits(body: Body) -> std::result::Result<Vec<E>, String> {
    // Quotes go; variables stay for whoever knows them.
    let reader = Words { keep_unset: true, ..Words::new('\\') };
    let read = |text: &str| {
        reader.expand(text, &()).map(|read| read.text).map_err(|_| format!("`{text}` cannot be read"))
    };
    let all = |texts: &[String], edit: fn(String) -> E| -> std::result::Result<Vec<E>, String> {
        texts.iter().map(|text| read(text).map(edit)).collect()
    };
    let command = |line: CommandLine| match line {
        CommandLine::Shell(line) if line.is_empty() => None,
        CommandLine::Shell(line) => Some(vec!["/bin/sh".into(), "-c".into(), line]),
        CommandLine::Exec(words) => Some(words).filter(|words| !words.is_empty()),
    };
    Ok(match body {
        Body::Cmd(cmd) => vec![E::Cmd(command(cmd.command))],
        Body::Entrypoint(entrypoint) => vec![E::Entrypoint(command(entrypoint.command))],
        Body::Env(env) => {
            let set = |name, value: String| match value.contains('$') {
                true => E::ExpandedEnv(name, value),
                false => E::Env(name, value),
            };
            let pairs = env.pairs.into_iter();
            pairs.map(|pair| Ok(set(read(&pair.name)?, read(&pair.value)?))).collect::<Result<_, String>>()?
        }
        Body::Label(label) => {
            let pairs = label.pairs.into_iter();
            pairs
                .map(|pair| Ok(E::Label(read(&pair.name)?, read(&pair.value)?)))
                .collect::<Result<_, String>>()?
        }
        Body::Expose(expose) => all(&expose.ports, E::Port)?,
        Body::Volume(volume) => all(&volume.paths, E::Volume)?,
        Body::Healthcheck(check) => vec![E::Healthcheck(Some(health(check)))],
        Body::Maintainer(author) => vec![E::Author(author.value)],
        Body::Onbuild(onbuild) => vec![E::OnBuild(onbuild.text)],
        Body::Shell(shell) => vec![E::Shell(shell.shell)],
        Body::StopSignal(signal) => vec![E::StopSignal(read(&signal.value)?)],
        Body::User(user) => vec![E::User(read(&user.value)?)],
        Body::Workdir(dir) => vec![E::WorkingDir(read(&dir.value)?)],
        Body::Add(_) | Body::Arg(_) | Body::Copy(_) | Body::From(_) | Body::Run(_) => {
            return Err("this instruction changes more than the config".into());
        }
    })
}

fn health(check: Check) -> Healthcheck {
    let time = |nanoseconds: u64| i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    let test = match check.command {
        None => vec!["NONE".into()],
        Some(CommandLine::Shell(line)) => vec!["CMD-SHELL".into(), line],
        Some(CommandLine::Exec(words)) => [vec!["CMD".into()], words].concat(),
    };
    Healthcheck {
        test,
        interval: time(check.interval),
        timeout: time(check.timeout),
        start_period: time(check.start_period),
        start_interval: time(check.start_interval),
        retries: check.retries.into(),
    }
}

/// The fields of a config that `--config` may give, in the names of the OCI's and Docker's configs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    hostname: String,
    domainname: String,
    user: String,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    env: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    healthcheck: Option<Healthcheck>,
    volumes: Option<BTreeMap<String, serde_json::Value>>,
    working_dir: String,
    on_build: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: String,
    shell: Option<Vec<String>>,
}

/// The edits that make a config say what the JSON file at `path` has; what the file leaves out stays.
pub fn of_config(path: &Path) -> Result<Vec<E>> {
    let sentence = format!("cannot read the config `{}`", path.display());
    let io = |cause: std::io::Error| {
        Error::new(Kind::Io, sentence.clone()).because(cause).hint("name a JSON file: --config FILE")
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(MAX_CONFIG + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(Error::corrupt(sentence).because("it is larger than 4 MiB"));
    }
    let given: Given = serde_json::from_slice(&bytes).map_err(|cause| {
        Error::corrupt(sentence.clone()).because(cause).hint(
            "give the JSON of an image's `config`, such as {\"Cmd\": [\"/bin/sh\"], \"Env\": [\"A=b\"]}",
        )
    })?;
    let text = |value: String, edit: fn(String) -> E| (!value.is_empty()).then(|| edit(value));
    let mut edits: Vec<E> = [
        text(given.hostname, E::Hostname),
        text(given.domainname, E::Domainname),
        text(given.user, E::User),
        text(given.working_dir, E::WorkingDir),
        text(given.stop_signal, E::StopSignal),
        given.cmd.map(|words| E::Cmd(Some(words))),
        given.entrypoint.map(|words| E::Entrypoint(Some(words))),
        given.shell.map(E::Shell),
        given.healthcheck.map(|check| E::Healthcheck(Some(check))),
    ]
    .into_iter()
    .flatten()
    .collect();
    for entry in given.env.unwrap_or_default() {
        let Some((name, value)) = entry.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Error::corrupt(sentence).because(format!("the variable `{entry}` is not NAME=VALUE")));
        };
        edits.push(E::Env(name.to_owned(), value.to_owned()));
    }
    edits.extend(given.exposed_ports.unwrap_or_default().into_keys().map(E::Port));
    edits.extend(given.volumes.unwrap_or_default().into_keys().map(E::Volume));
    edits.extend(given.on_build.unwrap_or_default().into_iter().map(E::OnBuild));
    edits.extend(given.labels.unwrap_or_default().into_iter().map(|(name, value)| E::Label(name, value)));
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_become_edits() {
        let of = |line| of_instruction(line).unwrap();
        assert_eq!(of(r#"CMD ["a", "b"]"#), [E::Cmd(Some(vec!["a".into(), "b".into()]))]);
        assert_eq!(
            of("ENTRYPOINT a b"),
            [E::Entrypoint(Some(["/bin/sh", "-c", "a b"].map(Into::into).into()))]
        );
        let env = [E::Env("A".into(), "b c".into()), E::ExpandedEnv("P".into(), "$P:/x".into())];
        assert_eq!(of(r#"env A="b c" P=$P:/x"#), env);
        assert_eq!(of("LABEL a=b"), [E::Label("a".into(), "b".into())]);
        assert_eq!(of("EXPOSE 80 53/udp"), [E::Port("80".into()), E::Port("53/udp".into())]);
        assert_eq!(of("WORKDIR '/a b'"), [E::WorkingDir("/a b".into())]);
        assert_eq!(of("ONBUILD RUN x"), [E::OnBuild("RUN x".into())]);
        for bad in ["", "RUN x", "NOSUCH x", "CMD a\nCMD b", "FROM x", "ENV", "COPY a b"] {
            let error = of_instruction(bad).unwrap_err();
            assert!(error.sentence().contains(bad), "{error:?}");
        }
    }

    #[test]
    fn a_config_gives_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            of_config(&path)
        };
        let edits =
            read(r#"{"Cmd": ["x"], "Env": ["A=b"], "Labels": {"k": "v"}, "Volumes": {"/v": {}}}"#).unwrap();
        let expected = [
            E::Cmd(Some(vec!["x".into()])),
            E::Env("A".into(), "b".into()),
            E::Volume("/v".into()),
            E::Label("k".into(), "v".into()),
        ];
        assert_eq!(edits, expected);
        assert!(read("{}").unwrap().is_empty());
        for bad in ["", "[]x", r#"{"Cmd": "x"}"#, r#"{"Env": ["A"]}"#, r#"{"Env": ["=x"]}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(of_config(Path::new("/nosuch")).is_err());
        assert!(of_config(Path::new("/dev/zero")).is_err());
    }
}
