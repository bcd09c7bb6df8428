//! Flags: which an instruction knows, and their values.

use super::Line;
use crate::diagnostic::Diagnostics;
use crate::source::Span;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// A value, once.
    Value,
    /// A value, any number of times.
    Values,
}

/// The flags of one statement, checked against what is known.
#[derive(Debug, Default)]
pub(super) struct Flags<'l> {
    given: Vec<(&'static str, &'l str)>,
}

impl<'l> Flags<'l> {
    /// Takes the flags of `line` that `known` has. All others are reported, and then there is no result.
    pub fn take(line: &mut Line<'l, '_>, known: &[(&'static str, Takes)]) -> Option<Self> {
        let mut flags = Flags::default();
        let mut right = true;
        for flag in &line.statement.flags {
            match flags.read(flag, known, line.statement.span, line.faults) {
                Some(given) => flags.given.push(given),
                None => right = false,
            }
        }
        right.then_some(flags)
    }

    fn read(
        &self,
        flag: &'l str,
        known: &[(&'static str, Takes)],
        span: Span,
        faults: &mut Diagnostics,
    ) -> Option<(&'static str, &'l str)> {
        let bare = flag.trim_start_matches("--");
        let (name, value) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
        let part = format!("--{name}");
        let Some(&(known, takes)) = known.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            let added = faults.error(span, Some(&part), format!("there is no flag `{part}` here"));
            added.nearest(name, &names, |known| format!("--{known}"));
            return None;
        };
        if takes != Takes::Values && self.given.iter().any(|(given, _)| *given == known) {
            faults.error(span, Some(&part), format!("the flag `{part}` stands here a second time"));
            return None;
        }
        match (takes, value) {
            (Takes::Switch, None) => Some((known, "true")),
            (Takes::Switch, Some(value)) => {
                match ["true", "false"].iter().find(|word| value.eq_ignore_ascii_case(word)) {
                    Some(word) => Some((known, *word)),
                    None => {
                        let message = format!("the flag `{part}` cannot be `{value}`");
                        faults.error(span, Some(flag), message).expected("`true` or `false`");
                        None
                    }
                }
            }
            (_, Some(value)) => Some((known, value)),
            (_, None) => {
                let added = faults.error(span, Some(&part), format!("the flag `{part}` has no value"));
                added.expected(format!("`{part}=…`, without a blank"));
                None
            }
        }
    }

    /// The value of a flag that may stand once.
    pub fn value(&self, name: &str) -> Option<&'l str> {
        self.values(name).next()
    }

    /// The value of a flag that may stand once and is not empty: `--from=` says nothing.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// All values of a flag.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'l str> {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// A switch, where it was said.
    pub fn switch(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value == "true")
    }
}
