//! What an edit of the configuration depends on: only its date does, which a repetition keeps.

use crate::oci::{ConfigEdit, Draft};
use crate::steps::config::Config;
use crate::steps::key::Definition;
use crate::store::StepKind;

/// Takes an edit apart; `draft` is the configuration before it.
pub(crate) fn define(config: &Config, draft: &Draft) -> Definition {
    // The container's name is another each time.
    let Config { container: _, edits, history } = config;
    let words: Vec<String> = edits.iter().map(words).collect();
    let mut step = Definition::new(StepKind::Config, format!("config {}", words.join(", ")));
    step.field("edits", serde_json::to_vec(edits).expect("plain data"));
    step.words("history", history);
    let before = (&draft.config, &draft.annotations, &draft.created_by, &draft.history_comment);
    step.field("configuration before", serde_json::to_vec(&before).expect("plain data"));
    step
}

/// An edit as people read it: `env PATH=/bin`.
fn words(edit: &ConfigEdit) -> String {
    let value = serde_json::to_value(edit).expect("plain data");
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let Some((name, value)) = value.as_object().and_then(|object| object.iter().next()) else {
        return plain(&value);
    };
    match value.as_array() {
        Some(pair)
            if matches!(edit, ConfigEdit::Env(..) | ConfigEdit::Label(..) | ConfigEdit::Annotation(..)) =>
        {
            format!("{name} {}", pair.iter().map(plain).collect::<Vec<_>>().join("="))
        }
        _ => format!("{name} {}", plain(value)),
    }
}
