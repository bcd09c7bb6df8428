//! From statements to typed instructions: which flags and arguments each takes, one file for each family.
//!
//! A statement that is wrong is reported and left out, and the next one is looked at.

mod command;
mod csv;
mod files;
mod flags;
mod health;
mod mount;
mod run;
mod simple;
mod size;
#[cfg(test)]
mod tests;

pub(crate) use mount::boolean;
pub use size::nanoseconds;

use crate::ast::{Body, Dockerfile, Instruction, Keyword};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::lexer::{Lexer, openings};
use crate::source::{Directives, Source, Span};
use crate::statement::Statement;

/// A file split into statements.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// What the top of the file orders.
    pub directives: Directives,
    /// All statements that could be split, unknown instructions among them.
    pub statements: Vec<Statement>,
    /// What is wrong with the others.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file understood.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// All instructions that are right.
    pub dockerfile: Dockerfile,
    /// What is wrong with the others.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether it cannot be built.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Splits `source` into statements.
#[must_use]
pub fn scan(source: &Source) -> Scanned {
    let mut faults = Diagnostics::new(source);
    let (directives, statements) = statements(source, &mut faults);
    Scanned { directives, statements, diagnostics: faults.into_found() }
}

/// Reads all of `source`.
#[must_use]
pub fn parse(source: &Source) -> Parsed {
    let mut faults = Diagnostics::new(source);
    let (directives, statements) = statements(source, &mut faults);
    let mut instructions: Vec<Instruction> = Vec::with_capacity(statements.len());
    let (mut in_stage, mut told) = (false, false);
    for statement in &statements {
        in_stage |= statement.keyword == Some(Keyword::From);
        let needs_stage = statement.keyword.is_some_and(|keyword| keyword != Keyword::Arg);
        if needs_stage && !in_stage && !std::mem::replace(&mut told, true) {
            let message = format!("`{}` stands before the first `FROM`", statement.name);
            faults
                .error(statement.span, Some(&statement.name), message)
                .expected("`FROM image`, before which only `ARG` may stand");
        }
        let body = body(statement, &mut Line { statement, faults: &mut faults });
        instructions.extend(body.map(|body| Instruction { span: statement.span, body }));
    }
    if !statements.is_empty() && !in_stage && !told {
        let last = Span::line(source.lines().max(1));
        faults.error(last, None, "the file has no `FROM`").expected("`FROM image`, or `FROM scratch`");
    }
    let dockerfile = Dockerfile { directives, instructions };
    Parsed { dockerfile, diagnostics: faults.into_found() }
}

fn statements(source: &Source, faults: &mut Diagnostics) -> (Directives, Vec<Statement>) {
    let directives = Directives::parse(source, faults);
    let mut lexer = Lexer::new(source, directives.escape);
    let (mut statements, mut any) = (Vec::new(), false);
    while let Some(line) = lexer.logical_line() {
        any = true;
        if let Some(blank) = line.blank {
            faults
                .warning(
                    Span::line(blank),
                    None,
                    "NoEmptyContinuation: a blank line stands inside a continued instruction",
                )
                .hint("remove it, or end the line before without the escape");
        }
        if let Some(unreadable) = line.unreadable {
            let message = "the line is not in UTF-8";
            faults.error(Span::line(unreadable), None, message).expected("text in UTF-8");
        }
        match Statement::parse(&line.text, line.span, directives.escape) {
            Ok(mut statement) => {
                statement.comments = line.comments;
                take_heredocs(&mut statement, &mut lexer, source, faults);
                if statement.keyword.is_none() {
                    unknown(&statement, faults);
                }
                statements.push(statement);
            }
            Err(wrong) => {
                faults.error(line.span, Some(&wrong.part), wrong.message).expected(wrong.expected);
            }
        }
    }
    if !any {
        let message = "the file has no instructions";
        faults.error(Span::line(1), None, message).expected("`FROM image`, or `FROM scratch`");
    }
    (directives, statements)
}

fn take_heredocs(statement: &mut Statement, lexer: &mut Lexer, source: &Source, faults: &mut Diagnostics) {
    if !statement.takes_heredocs() {
        return;
    }
    let first_of_body = statement.span.last + 1;
    for opening in openings(&statement.text) {
        let body = lexer.heredoc_body(&opening, &mut statement.span.last);
        let ends = body.is_ok();
        if !ends {
            let message = format!("the heredoc `{}` does not end", opening.name);
            let expected = format!("a line with `{}` and nothing else", opening.name);
            faults.error(statement.span, Some("<<"), message).expected(expected);
        }
        statement.heredocs.push(opening.with(body.unwrap_or_else(|rest| rest)));
        if !ends {
            // There is nothing left for the others.
            break;
        }
    }
    if let Some(number) = (first_of_body..=statement.span.last).find(|&number| !source.is_readable(number)) {
        faults.error(Span::line(number), None, "the heredoc is not in UTF-8").expected("text in UTF-8");
    }
    if let Some(trigger) = &mut statement.trigger {
        trigger.heredocs.clone_from(&statement.heredocs);
        trigger.span = statement.span;
    }
}

fn unknown(statement: &Statement, faults: &mut Diagnostics) {
    let name = &statement.name;
    let message = format!("there is no instruction `{name}`");
    faults.error(statement.span, Some(name), message).nearest(name, &Keyword::names(), str::to_owned);
}

/// A statement while it is looked at, and where to report.
struct Line<'l, 's> {
    statement: &'l Statement,
    faults: &'l mut Diagnostics<'s>,
}

impl Line<'_, '_> {
    /// Reports that the statement is wrong in `part`, and where `expected` is not empty what should stand there.
    fn wrong(&mut self, part: &str, message: impl Into<String>, expected: &str) {
        let added = self.faults.error(self.statement.span, Some(part), message);
        if !expected.is_empty() {
            added.expected(expected);
        }
    }
}

/// The typed form, or `None` where it is wrong, which was then reported.
fn body(statement: &Statement, line: &mut Line) -> Option<Body> {
    use Keyword as K;
    let body = match statement.keyword? {
        K::Add => Body::Add(files::add(line)?),
        K::Arg => Body::Arg(simple::arg(line)?),
        K::Cmd => Body::Cmd(command::command(line)?),
        K::Copy => Body::Copy(files::copy(line)?),
        K::Entrypoint => Body::Entrypoint(command::command(line)?),
        K::Env => Body::Env(simple::pairs(line)?),
        K::Expose => Body::Expose(simple::expose(line)?),
        K::From => Body::From(simple::from(line)?),
        K::Healthcheck => Body::Healthcheck(health::healthcheck(line)?),
        K::Label => Body::Label(simple::pairs(line)?),
        K::Maintainer => Body::Maintainer(simple::value(line)?),
        K::Onbuild => Body::Onbuild(command::onbuild(line)?),
        K::Run => Body::Run(run::run(line)?),
        K::Shell => Body::Shell(command::shell(line)?),
        K::StopSignal => Body::StopSignal(simple::value(line)?),
        K::User => Body::User(simple::value(line)?),
        K::Volume => Body::Volume(simple::volume(line)?),
        K::Workdir => Body::Workdir(simple::value(line)?),
    };
    Some(body)
}
