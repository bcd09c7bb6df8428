//! Variables that nothing declares, and those that hold what the image should not keep.

use std::collections::BTreeSet;

use super::from::Before;
use super::{Looked, Outside, Report};
use crate::ast::{Body, CopySource};
use crate::diagnostic::nearest;
use crate::scope::Given;
use crate::source::Span;
use crate::words::Words;

/// What a shell, every container or the builder has, so that it may be used undeclared.
const USUAL: &[&str] = &["PATH", "HOME", "HOSTNAME", "TERM", "SOURCE_DATE_EPOCH"];

/// Parts of names that mean something secret.
const SECRET: &[&str] =
    &["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

/// Parts of names that say it is none.
const PUBLIC: &[&str] = &["public"];

pub(super) fn look(looked: &Looked<'_>, report: &mut Report<'_, '_>) {
    let words = Words::new(looked.dockerfile.directives.escape);
    let nothing = Given { platform: looked.given.platform.clone(), ..Given::default() };
    let mut before = Before::new(words, looked.given, &nothing);
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in &looked.dockerfile.instructions {
        let span = instruction.span;
        if let Body::From(from) = &instruction.body {
            before.look_at(from, span, report);
            let base = before.expand(from);
            let stage = Stage::on(base.as_ref(), &stages);
            stages.push(Stage { name: from.name.clone(), ..stage });
            continue;
        }
        secrets(&instruction.body, span, report);
        let Some(stage) = stages.last_mut() else {
            if let Body::Arg(arg) = &instruction.body {
                arg.arguments.iter().for_each(|argument| before.declare(argument));
            }
            continue;
        };
        for text in texts(&instruction.body) {
            stage.undefined(text, words, span, looked.outside, report);
        }
        match &instruction.body {
            Body::Env(pairs) => stage.known.extend(pairs.pairs.iter().map(|pair| pair.name.clone())),
            Body::Arg(arg) => stage.known.extend(arg.arguments.iter().map(|argument| argument.name.clone())),
            _ => {}
        }
    }
}

/// Where a stage has variables from that the file does not name.
#[derive(Debug, Clone)]
enum Base {
    /// Nowhere, or what it has is among those that are known.
    Known,
    /// An image, by name and platform, that was not asked for yet.
    Image(String, Option<String>),
    /// An image that is not at hand.
    Unknown,
}

/// The variables of a stage.
#[derive(Debug, Clone)]
struct Stage {
    name: Option<String>,
    known: BTreeSet<String>,
    base: Base,
}

impl Stage {
    /// A stage that stands on another one, which it has all variables of, or on an image.
    fn on(base: Option<&(String, Option<String>)>, stages: &[Stage]) -> Self {
        let known = BTreeSet::new();
        let Some((image, platform)) = base else { return Stage { name: None, known, base: Base::Unknown } };
        let is_it = |name: &String| name.eq_ignore_ascii_case(image);
        if let Some(stage) = stages.iter().rev().find(|stage| stage.name.as_ref().is_some_and(is_it)) {
            return stage.clone();
        }
        let base =
            if image == "scratch" { Base::Known } else { Base::Image(image.clone(), platform.clone()) };
        Stage { name: None, known, base }
    }

    /// Reports the variables in `text` that nothing declares. The image is asked for only where that decides it.
    fn undefined(
        &mut self,
        text: &str,
        words: Words,
        span: Span,
        outside: Outside<'_>,
        report: &mut Report<'_, '_>,
    ) {
        let Ok(expansion) = words.expand(text, &()) else { return };
        for name in &expansion.unset {
            if USUAL.contains(&name.as_str()) || self.has(name, outside) {
                continue;
            }
            let message = format!("`${name}` is used and nothing declares it");
            let candidates: Vec<&str> = self.known.iter().map(String::as_str).chain(["PATH"]).collect();
            match nearest(name, &candidates) {
                Some(near) => {
                    let hint = format!("did you mean `${near}`?");
                    report.warn_with("UndefinedVar", span, Some(name), message, &hint);
                }
                None => report.warn("UndefinedVar", span, Some(name), message),
            }
        }
    }

    /// Whether there is a variable of this name, or may be one.
    fn has(&mut self, name: &str, outside: Outside<'_>) -> bool {
        if self.known.contains(name) {
            return true;
        }
        if let Base::Image(image, platform) = &self.base {
            let found = (outside.variables_of)(image, platform.as_deref());
            self.base = if found.is_some() { Base::Known } else { Base::Unknown };
            self.known.extend(found.into_iter().flatten());
        }
        matches!(self.base, Base::Unknown) || self.known.contains(name)
    }
}

/// The texts of an instruction in which variables are put in.
fn texts(body: &Body) -> Vec<&str> {
    match body {
        Body::Env(pairs) | Body::Label(pairs) => {
            pairs.pairs.iter().flat_map(|pair| [pair.name.as_str(), pair.value.as_str()]).collect()
        }
        Body::Arg(arg) => arg.arguments.iter().filter_map(|argument| argument.default.as_deref()).collect(),
        Body::User(value) | Body::Workdir(value) | Body::StopSignal(value) => vec![&value.value],
        Body::Expose(expose) => expose.ports.iter().map(String::as_str).collect(),
        Body::Volume(volume) => volume.paths.iter().map(String::as_str).collect(),
        Body::Copy(copy) => sources(&copy.sources)
            .chain([copy.destination.as_str()])
            .chain(copy.chown.as_deref())
            .chain(copy.chmod.as_deref())
            .collect(),
        Body::Add(add) => sources(&add.sources)
            .chain([add.destination.as_str()])
            .chain(add.chown.as_deref())
            .chain(add.chmod.as_deref())
            .chain(add.checksum.as_deref())
            .collect(),
        _ => Vec::new(),
    }
}

fn sources(sources: &[CopySource]) -> impl Iterator<Item = &str> {
    sources.iter().filter_map(|source| match source {
        CopySource::Path(path) => Some(path.as_str()),
        CopySource::Heredoc(_) => None,
    })
}

/// Names one of whose parts means something secret.
fn secrets(body: &Body, span: Span, report: &mut Report<'_, '_>) {
    let (keyword, names): (_, Vec<&String>) = match body {
        Body::Arg(arg) => ("ARG", arg.arguments.iter().map(|argument| &argument.name).collect()),
        Body::Env(pairs) => ("ENV", pairs.pairs.iter().map(|pair| &pair.name).collect()),
        _ => return,
    };
    for name in names {
        let lower = name.to_lowercase();
        let has = |words: &[&str]| lower.split('_').any(|part| words.contains(&part));
        if has(SECRET) && !has(PUBLIC) {
            report.warn_with(
                "SecretsUsedInArgOrEnv",
                span,
                Some(name),
                format!("do not use {keyword} for sensitive data ({keyword} \"{name}\"): the image keeps it"),
                "hand it to the command that needs it: RUN --mount=type=secret,id=NAME",
            );
        }
    }
}
