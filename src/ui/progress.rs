//! What verbs tell while they work, as lines on stderr.

use builder_core::{Event, Fate, Reporter, Result};

use super::{lines, text};

/// Shows events, or only warnings where the user asked for quiet.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// Only warnings.
    pub quiet: bool,
}

impl Reporter for Talk {
    fn report(&self, event: Event) {
        match event {
            Event::Began { task, bytes } if !self.quiet => lines::began(&task, bytes),
            Event::Moved { task, bytes } if !self.quiet => lines::moved(&task, bytes),
            Event::Ended { task, sent } if !self.quiet => lines::ended(&task, sent),
            Event::Stopped { task } if !self.quiet => lines::stopped(&task),
            Event::Copied { source, target } if !self.quiet => lines::copied(&source, &target),
            Event::Warning { message, hint } if super::Level::Warn.is_told() => {
                super::show_warning(&message, hint.as_deref());
            }
            Event::Step(fate) => show_fate(fate),
            _ => {}
        }
    }

    fn choose(&self, question: &str, options: &[String]) -> Result<Option<usize>> {
        if super::is_terminal() { super::choose(question, options).map(Some) } else { Ok(None) }
    }

    fn output(&self, to_stderr: bool, bytes: &[u8]) -> bool {
        use std::io::Write;
        let written = match to_stderr {
            true => std::io::stderr().lock().write_all(bytes),
            false => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
        };
        written.is_ok()
    }
}

/// What became of a step of a cached container, in a few words.
fn show_fate(fate: Fate) {
    match fate {
        Fate::Cached => super::remark("cached"),
        Fate::Missed { why } => super::remark(format_args!("missed: {why}")),
        Fate::Uncacheable { why, hint } => {
            super::remark(format_args!("not cached: {why}"));
            if let Some(hint) = hint {
                super::remark(format_args!("hint: {hint}"));
            }
        }
        Fate::Performed(took) => super::remark(format_args!("ran {}", text::duration(took))),
        _ => {}
    }
}
