//! Credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere. They take a verb as argument and
//! a registry, or JSON, on stdin (docker-credential-helpers' protocol).

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Credentials, TOKEN_USER};
use crate::error::{Error, Kind, Result};

/// The most that is read of what a helper says.
const MAX_ANSWER: u64 = 1 << 20;

/// What a helper says when it has nothing for a registry.
const NOTHING: &str = "credentials not found in native keychain";

/// The credentials the helper `name` has for `registry`.
pub(super) fn get(name: &str, registry: &str) -> Result<Option<Credentials>> {
    let (well, answer) = run(name, "get", registry)?;
    if !well {
        // Its words, not its exit code, tell "nothing" from "failed".
        return if answer.contains(NOTHING) { Ok(None) } else { Err(failed(name, &answer)) };
    }
    let value: Value = serde_json::from_str(&answer).map_err(|_| failed(name, "its answer is no JSON"))?;
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
    let (well, answer) = run(name, "store", &entry)?;
    if well { Ok(()) } else { Err(failed(name, &answer)) }
}

/// Has the helper forget a registry; whether it knew it.
pub(super) fn erase(name: &str, registry: &str) -> Result<bool> {
    let (well, answer) = run(name, "erase", registry)?;
    if well {
        Ok(true)
    } else if answer.contains(NOTHING) {
        Ok(false)
    } else {
        Err(failed(name, &answer))
    }
}

fn failed(name: &str, said: &str) -> Error {
    let first: String =
        said.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    Error::new(Kind::Denied, format!("cannot use the credential helper `docker-credential-{name}`"))
        .because(first)
}

/// Runs a helper; whether it ended well, and its stdout.
fn run(name: &str, verb: &str, input: &str) -> Result<(bool, String)> {
    let program = format!("docker-credential-{name}");
    let sentence = || format!("cannot use the credential helper `{program}`");
    if name.contains('/') {
        return Err(Error::invalid(sentence()).because("the name of a helper has no slash"));
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
    Ok((ended.success(), String::from_utf8_lossy(&answer).into_owned()))
}
