//! Variables that nothing declares, and those that hold what the image should not keep.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::from::Before;
use super::{Looked, MAX_NEAR, Outside, Report};
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
    let mut named: HashMap<&str, Rc<Stage>> = HashMap::new();
    let mut here: Option<(Option<&str>, Stage)> = None;
    for instruction in &looked.dockerfile.instructions {
        let span = instruction.span;
        if let Body::From(from) = &instruction.body {
            before.look_at(from, span, report);
            if let Some((Some(name), stage)) = here.take() {
                named.insert(name, Rc::new(stage));
            }
            let base = before.expand(from);
            if let Some((image, platform)) = &base
                && image != "scratch"
                && !named.contains_key(image.to_lowercase().as_str())
            {
                before.fits(image, platform.as_deref(), span, looked.outside, report);
            }
            here = Some((from.name.as_deref(), Stage::on(base.map(|(image, _)| image), &named)));
            continue;
        }
        secrets(&instruction.body, span, report);
        let Some((_, stage)) = &here else {
            if let Body::Arg(arg) = &instruction.body {
                arg.arguments.iter().for_each(|argument| before.declare(argument));
            }
            continue;
        };
        for text in texts(&instruction.body) {
            stage.undefined(text, words, span, looked.outside, report);
        }
        match &instruction.body {
            Body::Env(pairs) => stage.declare(pairs.pairs.iter().map(|pair| &pair.name)),
            Body::Arg(arg) => stage.declare(arg.arguments.iter().map(|argument| &argument.name)),
            _ => {}
        }
    }
}

/// Where a stage has variables from that it does not declare itself.
#[derive(Debug)]
enum Base {
    /// Nowhere, or they are among those that are known.
    Known,
    /// Another stage.
    Stage(Rc<Stage>),
    /// An image that was not asked for yet.
    Image(String),
    /// An image that is not at hand, or too many stages.
    Unknown,
}

/// As many stages are looked at that stand on each other.
const MAX_DEPTH: usize = 100;

/// The variables of a stage.
#[derive(Debug)]
struct Stage {
    known: RefCell<BTreeSet<String>>,
    base: RefCell<Base>,
    depth: usize,
}

impl Stage {
    /// A stage that stands on another one, which it has all variables of, or on an image.
    fn on(base: Option<String>, named: &HashMap<&str, Rc<Stage>>) -> Self {
        let (base, depth) = match base {
            None => (Base::Unknown, 0),
            Some(image) => match named.get(image.to_lowercase().as_str()) {
                Some(stage) if stage.depth == MAX_DEPTH => (Base::Unknown, 0),
                Some(stage) => (Base::Stage(Rc::clone(stage)), stage.depth + 1),
                None if image == "scratch" => (Base::Known, 0),
                None => (Base::Image(image), 0),
            },
        };
        Stage { known: RefCell::default(), base: RefCell::new(base), depth }
    }

    /// Notes variables that are there from here on.
    fn declare<'n>(&self, names: impl Iterator<Item = &'n String>) {
        self.known.borrow_mut().extend(names.cloned());
    }

    /// Reports the variables in `text` that nothing declares. The image is asked for only where that decides it.
    fn undefined(
        &self,
        text: &str,
        words: Words,
        span: Span,
        outside: Outside<'_>,
        report: &mut Report<'_, '_>,
    ) {
        if !text.contains('$') || report.is_full() {
            return;
        }
        let Ok(expansion) = words.expand(text, &()) else { return };
        for name in &expansion.unset {
            if USUAL.contains(&name.as_str()) || self.has(name, outside) {
                continue;
            }
            let message = format!("`${name}` is used and nothing declares it");
            let mut known = self.names();
            known.push("PATH".to_owned());
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            match nearest(name, &known) {
                Some(near) => {
                    let hint = format!("did you mean `${near}`?");
                    report.warn_with("UndefinedVar", span, Some(name), message, &hint);
                }
                None => report.warn("UndefinedVar", span, Some(name), message),
            }
        }
    }

    /// Some of the names that are known, those of this stage first.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.known.borrow().iter().take(MAX_NEAR).cloned().collect();
        if let Base::Stage(stage) = &*self.base.borrow()
            && names.len() < MAX_NEAR
        {
            names.extend(stage.names());
        }
        names
    }

    /// Whether there is a variable of this name, or may be one.
    fn has(&self, name: &str, outside: Outside<'_>) -> bool {
        if self.known.borrow().contains(name) {
            return true;
        }
        let found = match &*self.base.borrow() {
            Base::Known => return false,
            Base::Unknown => return true,
            Base::Stage(stage) => return stage.has(name, outside),
            Base::Image(image) => (outside.variables_of)(image),
        };
        *self.base.borrow_mut() = if found.is_some() { Base::Known } else { Base::Unknown };
        let unknown = found.is_none();
        self.declare(found.unwrap_or_default().iter());
        unknown || self.known.borrow().contains(name)
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
