//! What an edit of the configuration depends on: only its date does, which a repetition keeps.

use crate::oci::Draft;
use crate::steps::config::Config;
use crate::steps::key::Definition;
use crate::store::StepKind;

/// Takes an edit apart; `draft` is the configuration before it.
pub(crate) fn define(config: &Config, draft: &Draft) -> Definition {
    // The container's name is another each time.
    let Config { container: _, edits, history } = config;
    let edits = serde_json::to_string(edits).expect("plain data");
    let mut step = Definition::new(StepKind::Config, format!("config {edits}"));
    step.field("edits", edits);
    step.words("history", history);
    let before = (&draft.config, &draft.annotations, &draft.created_by, &draft.history_comment);
    step.field("configuration before", serde_json::to_vec(&before).expect("plain data"));
    step
}
