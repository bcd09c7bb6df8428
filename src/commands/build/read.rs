//! Reading a Dockerfile: what is wrong with it or hardly meant, and questions that are answered without a build.

use builder_core::{Error, Result, Wanted};
use dockerfile_frontend::{Given, Graph, Parsed, Severity, Source, lint, parse, scan};

use super::{Args, report};
use crate::build::{Contexts, Found, ignore_lines};
use crate::exit::Exit;
use crate::ui;

/// A Dockerfile that was read and found right.
pub struct Read {
    pub source: Source,
    pub parsed: Parsed,
    pub graph: Graph,
    pub given: Given,
    pub ignore: Vec<String>,
    /// How many warnings there are, and whether they are errors.
    warnings: (usize, bool),
}

impl Args {
    /// Reads the Dockerfile and all that belongs to it, and shows what is wrong or hardly meant.
    pub(super) fn read(
        &self,
        contexts: &Contexts,
        (bytes, name, path): &Found,
        wanted: &Wanted,
    ) -> Result<Read> {
        let source = match Source::new(name.as_str(), bytes) {
            Ok(source) => source,
            Err(fault) => return Err(report::faults(name, &[fault])),
        };
        let parsed = parse(&source);
        let wrong = || parsed.diagnostics.iter().filter(|fault| fault.severity == Severity::Error);
        if parsed.has_errors() {
            let all: Vec<_> = wrong().cloned().collect();
            return Err(report::faults(name, &all));
        }
        let given = self.given(wanted)?;
        let graph = Graph::new(&parsed.dockerfile, &source, &given, self.target.as_deref())
            .map_err(|faults| report::faults(name, &faults))?;
        let ignore = ignore_lines(&contexts.main, path.as_deref(), self.ignorefile.as_deref())?;
        let mut read = Read { source, parsed, graph, given, ignore, warnings: (0, false) };
        read.warnings = self.warn(&read)?;
        Ok(read)
    }

    /// Shows warnings and says how many there are, and whether they are errors.
    fn warn(&self, read: &Read) -> Result<(usize, bool)> {
        let dockerfile = &read.parsed.dockerfile;
        let asked = dockerfile.directives.check.as_ref().map_or("", |check| check.value.as_str());
        let checks = lint::Checks::parse(asked).map_err(|because| {
            Error::invalid("cannot use the directive `check`")
                .because(because)
                .hint("# check=skip=JSONArgsRecommended;error=true")
        })?;
        let ignored = builder_core::Ignored::new(&read.ignore)?;
        let statements = scan(&read.source).statements;
        let found = lint::lint(&read.source, &statements, dockerfile, &read.given, &checks, &|path| {
            ignored.leaves_out(path)
        });
        let parsed = read.parsed.diagnostics.iter().filter(|fault| checks.keeps(fault));
        let all: Vec<_> = parsed.chain(&found).chain(&read.graph.warnings).collect();
        let is_asked = self.check || self.call.as_deref() == Some("check");
        if is_asked || (!self.is_quiet() && self.call.is_none()) {
            all.iter().take(report::MAX_SHOWN).for_each(ui::remark);
        }
        let mut declared: Vec<&str> = read.given.platform.keys().map(String::as_str).collect();
        for instruction in &dockerfile.instructions {
            if let dockerfile_frontend::ast::Body::Arg(arg) = &instruction.body {
                declared.extend(arg.arguments.iter().map(|argument| argument.name.as_str()));
            }
        }
        let unused = dockerfile_frontend::unused(&read.given, &declared);
        if !unused.is_empty() && !self.is_quiet() {
            ui::remark(format_args!(
                "warning: one or more build args were not consumed: [{}]",
                unused.join(" ")
            ));
        }
        Ok((all.len(), checks.error))
    }

    /// Answers `--check` and `--call`, which build nothing; and refuses to build where warnings are errors.
    pub(super) fn answer(&self, read: &Read) -> Result<Option<Exit>> {
        let (warnings, are_errors) = read.warnings;
        let call = if self.check { Some("check") } else { self.call.as_deref() };
        match call {
            Some("outline") => report::outline(&read.parsed.dockerfile, &read.graph),
            Some("targets") => report::targets(&read.graph),
            Some("check") if warnings == 0 => ui::result("Check complete, no warnings found."),
            Some("check") => {
                let plural = if warnings == 1 { "" } else { "s" };
                ui::result(format_args!("Check complete, {warnings} warning{plural} found."));
                return Ok(Some(Exit::Broken));
            }
            _ if are_errors && warnings > 0 => {
                return Err(Error::invalid("cannot build with warnings")
                    .because(format!("there are {warnings}, and the file says `check=error=true`"))
                    .hint("mend what they are about, or skip them: # check=skip=NAMES"));
            }
            _ => return Ok(None),
        }
        Ok(Some(Exit::Success))
    }
}
