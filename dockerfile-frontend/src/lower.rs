//! From one instruction to the verbs that do it, with all variables put in.
//!
//! A stage is lowered as it is built, since what its base says of itself counts. Order, caching and performing are not
//! decided here.

mod files;
mod run;
mod signals;
#[cfg(test)]
mod tests;

pub(crate) use run::field;

use std::collections::BTreeMap;

use crate::ast::{self, Body, CommandLine, Instruction};
use crate::scope::Scope;
use crate::source::Source;
use crate::verbs::{Edit, Healthcheck, StageName, Step, Verb};
use crate::words::{WordError, Words};

/// The shell of shell forms unless the image or the file names another.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// What a signal is not that is none.
const NO_SIGNAL: &str = "no signal: write for example SIGTERM, TERM or 15";

/// What is wrong with a port that is none.
const NO_PORT: &str = "no port, which is a number up to 65535 or a range, and tcp, udp or sctp after a slash";

/// A stage so far.
#[derive(Debug, Clone)]
pub(crate) struct Lowering<'g> {
    pub scope: Scope<'g>,
    pub shell: Vec<String>,
    pub workdir: String,
    pub user: String,
    /// Whether the file gave a command since the stage began.
    pub cmd_set: bool,
    pub escape: char,
    /// The containers of the stages that references name; a stage that is not built has none.
    pub containers: BTreeMap<String, String>,
}

impl Lowering<'_> {
    fn words(&self) -> Words {
        Words::new(self.escape)
    }

    /// One word with its variables put in.
    fn word(&self, text: &str) -> Result<String, WordError> {
        self.words().expand(text, &self.scope).map(|expansion| expansion.text)
    }

    /// One text with its variables put in, split where blanks are.
    fn split(&self, text: &str) -> Result<Vec<String>, WordError> {
        self.words().expand(text, &self.scope).map(|expansion| expansion.words)
    }

    fn optional(&self, text: Option<&str>) -> Result<Option<String>, WordError> {
        text.map(|text| self.word(text)).transpose()
    }

    /// What `instruction` does. Nothing in it is performed yet, but what follows sees it as done.
    pub fn step(
        &mut self,
        instruction: &Instruction,
        source: &Source,
        stage: &StageName,
        (number, last): (usize, bool),
    ) -> Result<Step, WordError> {
        let span = instruction.span;
        let text = one_line(source, span, self.escape);
        let verbs = self.verbs(&instruction.body)?;
        let rest = text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
        let history = match &instruction.body {
            Body::Run(_) => format!("/bin/sh -c {rest}"),
            _ => format!("/bin/sh -c #(nop) {text}"),
        };
        Ok(Step { stage: stage.clone(), number, last, span, text, verbs, history })
    }

    fn verbs(&mut self, body: &Body) -> Result<Vec<Verb>, WordError> {
        Ok(match body {
            Body::Run(run) => vec![Verb::Run(self.run(run)?)],
            Body::Copy(copy) => vec![Verb::Copy(self.copy(copy)?)],
            Body::Add(add) => vec![Verb::Copy(self.add(add)?)],
            Body::Workdir(value) => {
                let path = self.word(&value.value)?;
                self.workdir = join(&self.workdir, &path);
                let workdir = self.workdir.clone();
                let made = Verb::MakeDirectory { path: workdir.clone(), owner: self.user.clone() };
                vec![Verb::Config(vec![Edit::Workdir(workdir)]), made]
            }
            Body::From(_) => Vec::new(),
            _ => match self.edits(body)? {
                edits if edits.is_empty() => Vec::new(),
                edits => vec![Verb::Config(edits)],
            },
        })
    }

    fn edits(&mut self, body: &Body) -> Result<Vec<Edit>, WordError> {
        Ok(match body {
            Body::Arg(arg) => {
                self.scope.declare(self.words(), &arg.arguments)?;
                Vec::new()
            }
            Body::Env(pairs) => {
                let pairs = self.pairs(pairs)?;
                for (name, value) in &pairs {
                    self.scope.set_env(name, value);
                }
                pairs.into_iter().map(|(name, value)| Edit::Env(name, value)).collect()
            }
            Body::Label(pairs) => {
                self.pairs(pairs)?.into_iter().map(|(name, value)| Edit::Label(name, value)).collect()
            }
            Body::Expose(expose) => self.ports(&expose.ports)?,
            Body::Volume(volume) => {
                volume.paths.iter().map(|path| self.word(path).map(Edit::Volume)).collect::<Result<_, _>>()?
            }
            Body::User(value) => {
                self.user = self.word(&value.value)?;
                vec![Edit::User(self.user.clone())]
            }
            Body::StopSignal(value) => {
                let signal = self.word(&value.value)?;
                if !signals::is_signal(&signal) {
                    return Err(WordError::Senseless(signal, NO_SIGNAL));
                }
                vec![Edit::StopSignal(signal)]
            }
            Body::Maintainer(value) => vec![Edit::Author(self.word(&value.value)?)],
            Body::Shell(shell) => {
                self.shell.clone_from(&shell.shell);
                vec![Edit::Shell(shell.shell.clone())]
            }
            Body::Cmd(command) => {
                self.cmd_set = true;
                vec![Edit::Cmd(Some(self.command(&command.command)))]
            }
            Body::Entrypoint(command) => {
                let words = self.command(&command.command);
                let mut edits = vec![Edit::Entrypoint(Some(words))];
                // What the base has as its command was meant for the base's program.
                if !self.cmd_set {
                    edits.push(Edit::Cmd(None));
                }
                edits
            }
            Body::Healthcheck(check) => vec![Edit::Healthcheck(self.healthcheck(check))],
            Body::Onbuild(onbuild) => vec![Edit::OnBuild(onbuild.text.clone())],
            Body::Run(_) | Body::Copy(_) | Body::Add(_) | Body::Workdir(_) | Body::From(_) => Vec::new(),
        })
    }

    /// All values see the variables as they were before the instruction.
    fn pairs(&self, pairs: &ast::Pairs) -> Result<Vec<(String, String)>, WordError> {
        pairs.pairs.iter().map(|pair| Ok((self.word(&pair.name)?, self.word(&pair.value)?))).collect()
    }

    fn command(&self, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Exec(words) => words.clone(),
            CommandLine::Shell(line) => self.in_shell(line),
        }
    }

    fn in_shell(&self, line: &str) -> Vec<String> {
        let mut words = self.shell.clone();
        if words.is_empty() {
            words = SHELL.map(str::to_owned).to_vec();
        }
        words.push(line.to_owned());
        words
    }

    /// Ports with their protocol; a range is all that is in it. What is before a colon is the host's, and no part of an
    /// image.
    fn ports(&self, texts: &[String]) -> Result<Vec<Edit>, WordError> {
        let mut edits = Vec::new();
        for text in texts {
            for port in self.split(text)? {
                let senseless = || WordError::Senseless(port.clone(), NO_PORT);
                let (numbers, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
                let protocol = protocol.to_ascii_lowercase();
                let numbers = numbers.rsplit(':').next().unwrap_or_default();
                let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
                match (first.parse::<u16>(), last.parse::<u16>()) {
                    (Ok(first), Ok(last))
                        if first <= last && matches!(protocol.as_str(), "tcp" | "udp" | "sctp") =>
                    {
                        edits.extend((first..=last).map(|number| Edit::Port(format!("{number}/{protocol}"))));
                    }
                    _ => return Err(senseless()),
                }
            }
        }
        Ok(edits)
    }

    fn healthcheck(&self, check: &ast::Healthcheck) -> Healthcheck {
        let test = match &check.command {
            None => vec!["NONE".to_owned()],
            Some(CommandLine::Shell(line)) => vec!["CMD-SHELL".to_owned(), line.clone()],
            Some(CommandLine::Exec(words)) => ["CMD".to_owned()].into_iter().chain(words.clone()).collect(),
        };
        Healthcheck {
            test,
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
        }
    }
}

/// `path` from `workdir`, as `filepath.Clean` makes it.
fn join(workdir: &str, path: &str) -> String {
    let full = if path.starts_with('/') { path.to_owned() } else { format!("{workdir}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in full.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The instruction without the line ends in it; of heredocs only what opens them.
pub(crate) fn one_line(source: &Source, span: crate::source::Span, escape: char) -> String {
    let mut text = String::new();
    for number in span.first..=span.last.min(source.lines()) {
        let line = crate::source::without_end(source.line(number)).trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (line, goes_on) = match line.strip_suffix(escape) {
            Some(line) => (line.trim_end(), true),
            None => (line, false),
        };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
        if !goes_on {
            break;
        }
    }
    text
}
