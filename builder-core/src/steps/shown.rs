//! What a step says in the history of its container's image.

use crate::oci::ConfigEdit;
use crate::store::Logged;

/// What history says of a step that succeeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Shown {
    /// Nothing of its own.
    #[default]
    Nothing,
    /// A line without a layer; of a copy its own unless given.
    Line(Option<String>),
    /// The line of the layer that everything since the last such step is in; of a copy its own unless given.
    Layer(Option<String>),
}

impl Shown {
    /// How the log keeps it; `own` is the verb's own line.
    pub(super) fn logged(&self, own: impl FnOnce() -> String) -> Option<Logged> {
        match self {
            Shown::Nothing => None,
            Shown::Line(line) => Some(Logged::History(line.clone().unwrap_or_else(own))),
            Shown::Layer(line) => {
                Some(Logged::Config(vec![ConfigEdit::CreatedBy(line.clone().unwrap_or_else(own))]))
            }
        }
    }
}
