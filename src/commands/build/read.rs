//! Reading a Dockerfile: what is wrong with it or hardly meant, and questions that are answered without a build.

use builder_core::{Builder, CopyFrom, Error, Result, Wanted, inspect_image};
use dockerfile_frontend::ast::Body;
use dockerfile_frontend::{Diagnostic, Given, Graph, Parsed, Severity, Source, Statement, lint, parse, scan};

use super::call::{Call, Question};
use super::{Args, report};
use crate::build::{Contexts, Found, ignore_lines};
use crate::exit::Exit;
use crate::{settings, ui};

/// A Dockerfile that was read and found right.
pub struct Read {
    pub source: Source,
    pub parsed: Parsed,
    pub graph: Graph,
    pub given: Given,
    pub ignore: Vec<String>,
    /// The statements, with the comments above them.
    pub statements: Vec<Statement>,
    pub warnings: Warnings,
}

/// What is hardly meant.
#[derive(Default)]
pub struct Warnings {
    pub all: Vec<Diagnostic>,
    /// Whether there is no build with any.
    are_errors: bool,
}

impl Args {
    /// Reads the Dockerfile and all that belongs to it, and shows what is wrong or hardly meant.
    pub(super) fn read(
        &self,
        builder: &Builder<'_>,
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
        let statements = scan(&source).statements;
        let warnings = Warnings::default();
        let mut read = Read { source, parsed, graph, given, ignore, statements, warnings };
        read.warnings = self.warn(builder, contexts, &read)?;
        Ok(read)
    }

    /// Shows what is hardly meant, and gives it.
    fn warn(&self, builder: &Builder<'_>, contexts: &Contexts, read: &Read) -> Result<Warnings> {
        let dockerfile = &read.parsed.dockerfile;
        let checks = lint::Checks::of(dockerfile, &read.given).map_err(|because| {
            Error::invalid("cannot use what is said of checks")
                .because(because)
                .hint("# check=skip=JSONArgsRecommended;error=true")
        })?;
        let ignored = builder_core::Ignored::new(&read.ignore)?;
        let config_of = |image: &str| {
            let CopyFrom::Other(image) = contexts.find(image) else { return None };
            Some(inspect_image(builder, &image).ok()?.config)
        };
        let outside = lint::Outside {
            is_ignored: &|path| ignored.leaves_out(path),
            variables_of: &|image| {
                let name = |entry: &String| entry.split('=').next().unwrap_or_default().to_owned();
                Some(config_of(image)?.config.env.iter().map(name).collect())
            },
            other_platform_of: &|image, wanted| {
                // A build brings the right one, or tells that there is none.
                self.called()?;
                let (config, wanted) = (config_of(image)?, Wanted::parse(wanted).ok()?);
                let is_other = !config.architecture.is_empty() && !config.is_for(&wanted);
                is_other.then(|| format!("{}/{}", config.os, config.architecture))
            },
        };
        let statements = &read.statements;
        let found = lint::lint(&read.source, statements, dockerfile, &read.given, &checks, outside);
        let parsed = read.parsed.diagnostics.iter().filter(|fault| checks.keeps(fault)).cloned();
        let all: Vec<Diagnostic> = parsed.chain(found).chain(read.graph.warnings.clone()).collect();
        let shows = match self.called() {
            Some(call) => call.question == Question::Check && !call.json,
            None => !self.is_quiet(),
        };
        if shows {
            all.iter().take(report::MAX_SHOWN).for_each(ui::remark);
            self.tell(read);
        }
        Ok(Warnings { all, are_errors: checks.error })
    }

    /// Says what is there and has no effect.
    fn tell(&self, read: &Read) {
        let dockerfile = &read.parsed.dockerfile;
        let asked = read.given.arguments.get("BUILDKIT_SYNTAX");
        let syntax = dockerfile.directives.syntax.as_ref().map(|syntax| &syntax.value);
        if let Some(image) = asked.or(syntax).filter(|_| !settings::is_buildah()) {
            ui::remark(format_args!(
                "note: syntax={image} names another front end, which is not run: this one knows the language"
            ));
        }
        let mut declared: Vec<&str> = read.given.platform.keys().map(String::as_str).collect();
        for instruction in &dockerfile.instructions {
            if let Body::Arg(arg) = &instruction.body {
                declared.extend(arg.arguments.iter().map(|argument| argument.name.as_str()));
            }
        }
        let unused = dockerfile_frontend::unused(&read.given, &declared);
        if !unused.is_empty() {
            let unused = unused.join(" ");
            ui::show_warning(&format!("one or more build args were not consumed: [{unused}]"), None);
        }
    }

    /// Answers `--check` and `--call`, which build nothing; and refuses to build where warnings are errors.
    pub(super) fn answer(&self, read: &Read) -> Result<Option<Exit>> {
        let Warnings { all, are_errors } = &read.warnings;
        match self.called() {
            Some(call) => Ok(call.answer(read)),
            None if *are_errors && !all.is_empty() => Err(Error::invalid("cannot build with warnings")
                .because(format!("there are {}, and `check` says error=true", all.len()))
                .hint("mend what they are about, or skip them: # check=skip=NAMES")),
            None => Ok(None),
        }
    }

    /// The question that is asked in place of a build.
    fn called(&self) -> Option<Call> {
        let asked = self.check.then_some(Call { question: Question::Check, json: false });
        asked.or_else(|| self.call.filter(|call| call.question != Question::Build))
    }
}
