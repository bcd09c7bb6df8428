//! What verbs tell while they work, as lines on stderr.

use builder_core::{Event, Reporter};

/// Shows events, or only warnings where the user asked for quiet.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// Only warnings.
    pub quiet: bool,
}

impl Reporter for Talk {
    fn report(&self, event: Event) {
        match event {
            Event::Began { task, .. } if !self.quiet => {
                let mut letters = task.chars();
                let first: String = letters.next().map(char::to_uppercase).into_iter().flatten().collect();
                super::remark(format_args!("{first}{}", letters.as_str()));
            }
            Event::Warning { message, hint } if super::Level::Warn.is_told() => {
                super::remark(format_args!("warning: {message}"));
                if let Some(hint) = hint {
                    super::remark(format_args!("hint: {hint}"));
                }
            }
            _ => {}
        }
    }
}
