//! Credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere. They take a verb as argument and
//! a registry, or JSON, on stdin (docker-credential-helpers' protocol).

use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::{Credentials, TOKEN_USER};
use crate::error::{Error, Kind, Result};

/// The most that is read of what a helper says.
const MAX_ANSWER: u64 = 1 << 20;

/// What a helper says when it has nothing for a registry.
const NOTHING: &str = "credentials not found in native keychain";

/// The credentials the helper `name` has for `registry`.
pub(super) fn get(name: &str, registry: &str) -> Result<Option<Credentials>> {
    let (ended, answer) = run(name, "get", registry)?;
    if !ended.success() {
        // Its words, not its exit code, tell "nothing" from "failed".
        return if answer.contains(NOTHING) { Ok(None) } else { Err(failed(name, ended, &answer)) };
    }
    let value: Value = serde_json::from_str(&answer).map_err(|_| useless(name, "its answer is no JSON"))?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (user, secret) = (text("Username"), text("Secret"));
    Ok(match user.as_str() {
        "" if secret.is_empty() => None,
        TOKEN_USER => Some(Credentials::Token(secret)),
        _ => Some(Credentials::Password { user, password: secret }),
    })
}

/// Hands credentials to the helper.
pub(super) fn store(name: &str, registry: &str, credentials: &Credentials) -> Result<()> {
    let (user, secret) = match credentials {
        Credentials::Password { user, password } => (user.as_str(), password),
        Credentials::Token(token) => (TOKEN_USER, token),
    };
    let entry = json!({ "ServerURL": registry, "Username": user, "Secret": secret }).to_string();
    let (ended, answer) = run(name, "store", &entry)?;
    if ended.success() { Ok(()) } else { Err(failed(name, ended, &answer)) }
}

/// Has the helper forget a registry; whether it knew it.
pub(super) fn erase(name: &str, registry: &str) -> Result<bool> {
    let (ended, answer) = run(name, "erase", registry)?;
    if ended.success() {
        Ok(true)
    } else if answer.contains(NOTHING) {
        Ok(false)
    } else {
        Err(failed(name, ended, &answer))
    }
}

fn useless(name: &str, why: impl Into<String>) -> Error {
    Error::new(Kind::Denied, format!("cannot use the credential helper `docker-credential-{name}`"))
        .because(why.into())
        .hint(format!(
            "try what it does: echo REGISTRY | docker-credential-{name} get; \
             or take it out of credHelpers and credsStore in auth.json or config.json"
        ))
}

/// What a helper said as it failed; not what may be an entry, with the secret in it.
fn failed(name: &str, ended: ExitStatus, said: &str) -> Error {
    let first: String =
        said.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    useless(name, if first.is_empty() || said.contains('{') { format!("it failed ({ended})") } else { first })
}

/// Runs a helper; how it ended, and its stdout.
fn run(name: &str, verb: &str, input: &str) -> Result<(ExitStatus, String)> {
    let program = format!("docker-credential-{name}");
    let sentence = || format!("cannot use the credential helper `{program}`");
    if name.contains('/') {
        return Err(Error::invalid(sentence())
            .because("the name of a helper has no slash")
            .hint("correct credHelpers or credsStore in auth.json or config.json"));
    }
    let started = Command::new(&program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What it says there may be for the user: a question for a passphrase.
        .stderr(Stdio::inherit())
        .spawn();
    let mut child = started.map_err(|cause| {
        let missing = cause.kind() == std::io::ErrorKind::NotFound;
        let error = Error::new(if missing { Kind::NotFound } else { Kind::Io }, sentence()).because(cause);
        error.hint("install it, or take it out of credHelpers and credsStore in auth.json or config.json")
    })?;
    // One that reads nothing and goes is no failure of its own: its exit code tells.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let mut answer = Vec::new();
    let read = child.stdout.take().map(|stdout| stdout.take(MAX_ANSWER).read_to_end(&mut answer));
    let ended = child.wait().map_err(|cause| Error::new(Kind::Io, sentence()).because(cause))?;
    if let Some(Err(cause)) = read {
        return Err(Error::new(Kind::Io, sentence()).because(cause));
    }
    if answer.len() as u64 == MAX_ANSWER {
        return Err(useless(name, format!("its answer is larger than {MAX_ANSWER} bytes")));
    }
    Ok((ended, String::from_utf8_lossy(&answer).into_owned()))
}
