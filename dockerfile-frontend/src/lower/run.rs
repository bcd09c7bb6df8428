//! `RUN` as a verb.

use super::Lowering;
use crate::ast::{self, CommandLine};
use crate::graph::mount_from;
use crate::lexer::Opening;
use crate::verbs::{Origin, Run};
use crate::words::WordError;

impl Lowering<'_> {
    pub(super) fn run(&self, run: &ast::Run) -> Result<Run, WordError> {
        let mut mounts = Vec::new();
        for mount in &run.mounts {
            let origin = match mount_from(mount) {
                // Without one it is the context that a bind mount is of.
                None => Origin::Context,
                from => self.origin(from),
            };
            let mut options = Vec::new();
            for option in mount.options.iter().filter(|option| option.name != "from") {
                let value = self.optional(option.value.as_deref())?;
                options.push(match value {
                    Some(value) => field(&format!("{}={value}", option.name)),
                    None => option.name.clone(),
                });
            }
            mounts.push((options.join(","), origin));
        }
        let (args, script) = self.command_of(run);
        Ok(Run {
            args,
            script,
            env: self.scope.run_env(),
            mounts,
            network: run.network,
            security: run.security,
            devices: run.devices.iter().map(|device| (device.name.clone(), device.required)).collect(),
        })
    }

    /// The program and its arguments; or a script that says itself what runs it.
    fn command_of(&self, run: &ast::Run) -> (Vec<String>, Option<String>) {
        let line = match &run.command {
            CommandLine::Exec(words) => return (words.clone(), None),
            CommandLine::Shell(line) => line,
        };
        match run.heredocs.as_slice() {
            [] => (self.in_shell(line), None),
            // Nothing but the heredoc: its text is what is run.
            [only] if Opening::parse(line).is_some() => {
                let text = only.text();
                if text.starts_with("#!") { (Vec::new(), Some(text)) } else { (self.in_shell(&text), None) }
            }
            // The shell reads them, as it would in a script.
            all => {
                let mut whole = line.clone();
                for heredoc in all {
                    whole.push('\n');
                    whole.push_str(&heredoc.content);
                    whole.push_str(&heredoc.name);
                }
                (self.in_shell(&whole), None)
            }
        }
    }
}

/// A field of a list with commas, in quotes where it needs them.
pub(crate) fn field(text: &str) -> String {
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
