//! `RUN` as a verb.

use super::Lowering;
use crate::ast::{self, CommandLine, MountText};
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
            let cache_id = self.cache_id(mount)?;
            for option in mount.options.iter().filter(|option| option.name != "from") {
                if cache_id.is_some() && option.name == "id" {
                    continue;
                }
                let value = self.optional(option.value.as_deref())?;
                options.push(match value {
                    Some(value) => field(&format!("{}={value}", option.name)),
                    None => option.name.clone(),
                });
            }
            options.extend(cache_id);
            mounts.push((options.join(","), origin));
        }
        let (args, script) = self.command_of(run);
        Ok(Run {
            args,
            script,
            env: self.scope.run_env(),
            hostname: self.scope.about_the_build("BUILDKIT_SANDBOX_HOSTNAME").map(str::to_owned),
            mounts,
            network: run.network,
            security: run.security,
            devices: run.devices.iter().map(|device| (device.name.clone(), device.required)).collect(),
        })
    }

    /// The id of a cache among those that the user keeps apart from others.
    fn cache_id(&self, mount: &MountText) -> Result<Option<String>, WordError> {
        let Some(namespace) = self.scope.about_the_build("BUILDKIT_CACHE_MOUNT_NS") else { return Ok(None) };
        let option = |name: &str| {
            let found = mount.options.iter().rfind(|option| option.name == name);
            self.optional(found.and_then(|option| option.value.as_deref()))
        };
        if option("type")?.is_none_or(|kind| !kind.eq_ignore_ascii_case("cache")) {
            return Ok(None);
        }
        let id = option("id")?.filter(|id| !id.is_empty());
        let own = if id.is_some() { id } else { option("target")? };
        Ok(Some(field(&format!("id={namespace}/{}", own.unwrap_or_default()))))
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
