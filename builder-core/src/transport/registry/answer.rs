//! What a status that is no success means, in words: the registry's own, where it gives any.

use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Kind};
use crate::transport::http::{Failure, Response};
use crate::transport::sink::FormRefused;

/// The most that is read of an answer that says why something failed.
const MAX_ERROR: u64 = 64 << 10;

/// The errors of the distribution specification, "Error Codes".
#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<One>,
    /// As token services put it.
    details: Option<String>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default)]
    message: String,
}

/// The failure that an answer is. `sentence` is ``cannot read the manifest of `…` ``, `host` is named in hints.
pub(super) fn failure(response: Response, sentence: impl Into<String>, host: &str) -> Failure {
    Answer::new(response).failure(sentence, host)
}

/// What an answer is read for.
struct Answer {
    status: u16,
    wait: Option<Duration>,
    /// Its beginning.
    body: Vec<u8>,
}

impl Answer {
    fn new(response: Response) -> Self {
        let (status, wait) = (response.status, response.retry_after());
        Answer { status, wait, body: response.excerpt(MAX_ERROR) }
    }

    fn failure(self, sentence: impl Into<String>, host: &str) -> Failure {
        let Answer { status, wait, body } = self;
        let said = words(&body);
        let with = |what: &str| match &said {
            Some(said) => format!("{what}: {said}"),
            None => what.to_owned(),
        };
        let error = |kind| Error::new(kind, sentence.into());
        match status {
            401 => Failure::Lasting(
                error(Kind::Denied)
                    .because(with("the registry wants a login that is good for it"))
                    .hint(format!("log in with `kiln login {host}`, or hand in --creds USER:PASSWORD")),
            ),
            403 => Failure::Lasting(
                error(Kind::Denied)
                    .because(with("the registry does not allow it"))
                    .hint(format!("see as whom you are logged in: kiln login --get-login {host}")),
            ),
            404 => missing_as(
                error(Kind::NotFound),
                said.as_deref(),
                "check the name and the tag: `kiln image tags NAME` lists what there is",
            ),
            405 => Failure::Lasting(
                error(Kind::Unsupported).because(with("the registry does not do that")).hint(format!(
                    "ask whoever runs `{host}` whether it is read-only or has that switched off"
                )),
            ),
            429 => {
                let asked =
                    wait.map(|wait| format!("; it asks to wait {} s", wait.as_secs())).unwrap_or_default();
                let error = error(Kind::Denied)
                    .because(with(&format!(
                        "the registry was asked too often (429 Too Many Requests){asked}"
                    )))
                    .hint(format!("wait, or log in for a higher limit: kiln login {host}"));
                Failure::Passing { error, wait }
            }
            // 408: it waited too long for us; 5xx: its own trouble, often that of the moment.
            408 | 425 | 500 | 502..=504 => {
                let error = error(Kind::Io)
                    .because(with(&format!("the registry is in trouble (status {status})")))
                    .hint("try again later; --retry N goes on for longer");
                Failure::Passing { error, wait }
            }
            _ => Failure::Lasting(misled(
                error(Kind::Io).because(with(&format!("the registry answers with status {status}"))),
                host,
            )),
        }
    }
}

/// The failure that an answer with status 404 is, with a hint of its own.
pub(super) fn missing(response: Response, sentence: impl Into<String>, hint: &str) -> Failure {
    let said = words(&response.excerpt(MAX_ERROR));
    missing_as(Error::new(Kind::NotFound, sentence.into()), said.as_deref(), hint)
}

/// The failure that an answer to a manifest of OCI's form is: a refusal of the form, as far as is known, where it has
/// one of the codes by which older registries tell that, or no code.
pub(super) fn of_oci_manifest(response: Response, sentence: impl Into<String>, host: &str) -> Failure {
    let answer = Answer::new(response);
    let codes = codes(&answer.body);
    let is_of_form =
        |code: &String| ["MANIFEST_INVALID", "TAG_INVALID", "UNSUPPORTED"].contains(&code.as_str());
    let is_refusal = match answer.status {
        415 => true,
        400 => codes.is_empty() || codes.iter().any(is_of_form),
        _ => false,
    };
    if !is_refusal {
        return answer.failure(sentence, host);
    }
    let said = words(&answer.body).map(|said| format!(": {said}")).unwrap_or_default();
    let why = FormRefused(format!("the registry does not take it{said}"));
    let error = Error::new(Kind::Unsupported, sentence.into()).because(why);
    Failure::Lasting(error.hint("it may take Docker's form: --format v2s2"))
}

fn missing_as(error: Error, said: Option<&str>, hint: &str) -> Failure {
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    Failure::Lasting(error.because(format!("the registry does not have it{said}")).hint(hint))
}

/// With a hint, where `host` says what no registry should.
pub(super) fn misled(error: Error, host: &str) -> Error {
    error.hint(format!("see whether `{host}` is a registry; if it is, tell whoever runs it what it answers"))
}

fn codes(body: &[u8]) -> Vec<String> {
    let errors = serde_json::from_slice::<Errors>(body).map(|all| all.errors).unwrap_or_default();
    errors.iter().filter_map(|one| one.code.as_str()).map(str::to_owned).collect()
}

/// What an answer says, in one line, without what a terminal would obey.
pub(super) fn words(body: &[u8]) -> Option<String> {
    let errors: Errors = serde_json::from_slice(body).ok()?;
    let mut said: Vec<String> = Vec::new();
    for one in errors.errors.iter().take(3) {
        let code = one.code.as_str().unwrap_or_default().to_lowercase().replace('_', " ");
        said.push(match (code.as_str(), one.message.as_str()) {
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) if message.to_lowercase().contains(code) => message.to_owned(),
            (code, message) => format!("{code}: {message}"),
        });
    }
    said.extend(errors.details);
    let line: String = said.join("; ").chars().filter(|letter| !letter.is_control()).take(400).collect();
    (!line.is_empty()).then_some(line)
}
