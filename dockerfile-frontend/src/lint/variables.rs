//! Variables that nothing declares, and those that hold what the image should not keep.

use std::collections::BTreeSet;

use super::{Looked, Report};
use crate::ast::{Argument, Body, CopySource, From};
use crate::diagnostic::nearest;
use crate::scope::Global;
use crate::source::Span;
use crate::words::Words;

/// What a shell or every container has, so that it may be used undeclared.
const USUAL: &[&str] = &["PATH", "HOME", "HOSTNAME", "TERM"];

/// Parts of names that mean something secret.
const SECRET: &[&str] =
    &["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

/// Parts of names that say it is none.
const PUBLIC: &[&str] = &["public"];

pub(super) fn look(looked: &Looked<'_>, report: &mut Report<'_, '_>) {
    let words = Words::new(looked.dockerfile.directives.escape);
    let mut global = Global::new(looked.given);
    let mut names: BTreeSet<String> = looked.given.platform.keys().cloned().collect();
    let mut stage: Option<BTreeSet<String>> = None;
    // Of a stage on another stage, or on an image, the environment is not known here.
    for instruction in &looked.dockerfile.instructions {
        let span = instruction.span;
        match &instruction.body {
            Body::From(from) => {
                look_at_from(from, span, words, &global, &names, report);
                stage = (from.image == "scratch").then(BTreeSet::new);
            }
            Body::Arg(arg) => {
                for argument in &arg.arguments {
                    secret("ARG", &argument.name, span, report);
                    declare(argument, words, stage.as_mut(), &mut global, &mut names);
                }
            }
            body => {
                if let Body::Env(pairs) = body {
                    pairs.pairs.iter().for_each(|pair| secret("ENV", &pair.name, span, report));
                }
                if let Some(known) = &mut stage {
                    for text in texts(body) {
                        undefined(text, words, known, span, report);
                    }
                    if let Body::Env(pairs) = body {
                        known.extend(pairs.pairs.iter().map(|pair| pair.name.clone()));
                    }
                }
            }
        }
    }
}

fn declare(
    argument: &Argument,
    words: Words,
    stage: Option<&mut BTreeSet<String>>,
    global: &mut Global<'_>,
    names: &mut BTreeSet<String>,
) {
    match stage {
        Some(known) => drop(known.insert(argument.name.clone())),
        None => {
            names.insert(argument.name.clone());
            let _ = global.declare(words, argument);
        }
    }
}

fn look_at_from(
    from: &From,
    span: Span,
    words: Words,
    global: &Global<'_>,
    names: &BTreeSet<String>,
    report: &mut Report<'_, '_>,
) {
    for text in [Some(&from.image), from.platform.as_ref()].into_iter().flatten() {
        let Ok(expansion) = words.expand(text, global.variables()) else { continue };
        for name in expansion.unset.iter().filter(|name| !names.contains(*name)) {
            let message = format!("FROM uses `{name}`, which no ARG before it declares");
            report.warn("UndefinedArgInFrom", span, Some(name), message);
        }
        let declared = expansion.unset.iter().all(|name| names.contains(name));
        if !expansion.unset.is_empty() && declared && text == &from.image && !is_image(&expansion.text) {
            let message = format!("with the defaults of its arguments `{}` is no image", from.image);
            report.warn("InvalidDefaultArgInFrom", span, Some(text), message);
        }
    }
}

/// Whether `text` may be the name of an image: nothing missing before or after a separator.
fn is_image(text: &str) -> bool {
    !text.is_empty()
        && !text.ends_with([':', '/', '@', '-'])
        && !text.starts_with([':', '/', '@', '-'])
        && !text.contains("//")
        && !text.contains("/:")
}

/// The texts of an instruction in which variables are put in.
fn texts(body: &Body) -> Vec<&str> {
    match body {
        Body::Env(pairs) | Body::Label(pairs) => {
            pairs.pairs.iter().flat_map(|pair| [pair.name.as_str(), pair.value.as_str()]).collect()
        }
        Body::User(value) | Body::Workdir(value) | Body::StopSignal(value) => vec![&value.value],
        Body::Expose(expose) => expose.ports.iter().map(String::as_str).collect(),
        Body::Volume(volume) => volume.paths.iter().map(String::as_str).collect(),
        Body::Copy(copy) => sources(&copy.sources).chain([copy.destination.as_str()]).collect(),
        Body::Add(add) => sources(&add.sources).chain([add.destination.as_str()]).collect(),
        _ => Vec::new(),
    }
}

fn sources(sources: &[CopySource]) -> impl Iterator<Item = &str> {
    sources.iter().filter_map(|source| match source {
        CopySource::Path(path) => Some(path.as_str()),
        CopySource::Heredoc(_) => None,
    })
}

fn undefined(text: &str, words: Words, known: &BTreeSet<String>, span: Span, report: &mut Report<'_, '_>) {
    let Ok(expansion) = words.expand(text, &()) else { return };
    for name in
        expansion.unset.iter().filter(|name| !known.contains(*name) && !USUAL.contains(&name.as_str()))
    {
        let message = format!("`${name}` is used and nothing declares it");
        let candidates: Vec<&str> = known.iter().map(String::as_str).collect();
        match nearest(name, &candidates) {
            Some(near) => {
                report.warn_with(
                    "UndefinedVar",
                    span,
                    Some(name),
                    message,
                    &format!("did you mean `${near}`?"),
                );
            }
            None => report.warn("UndefinedVar", span, Some(name), message),
        }
    }
}

/// A name one of whose parts means something secret.
fn secret(keyword: &str, name: &str, span: Span, report: &mut Report<'_, '_>) {
    let lower = name.to_lowercase();
    let mut parts = lower.split('_');
    let public = lower.split('_').any(|part| PUBLIC.contains(&part));
    if !public && parts.any(|part| SECRET.contains(&part)) {
        report.warn_with(
            "SecretsUsedInArgOrEnv",
            span,
            Some(name),
            format!("do not use {keyword} for sensitive data ({keyword} \"{name}\"): the image keeps it"),
            "hand it to the command that needs it: RUN --mount=type=secret,id=NAME",
        );
    }
}
