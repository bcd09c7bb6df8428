//! How things are written: letters, forms, blanks.

use super::{Looked, Report};
use crate::ast::Keyword;
use crate::statement::Statement;

pub(super) fn look(looked: &Looked<'_>, report: &mut Report<'_, '_>) {
    casing(looked.statements, report);
    for statement in looked.statements {
        match statement.keyword {
            Some(Keyword::From) => from(statement, report),
            Some(Keyword::Arg) => {
                let names: Vec<&str> = statement.arguments.iter().map(|text| name_of(text)).collect();
                description(statement, "ARG", &names, report);
            }
            Some(Keyword::Env | Keyword::Label) => pairs(statement, report),
            Some(Keyword::Maintainer) => report.warn_with(
                "MaintainerDeprecated",
                statement.span,
                Some(&statement.name),
                "MAINTAINER is deprecated in favour of a label",
                "LABEL org.opencontainers.image.authors=\"NAME\"",
            ),
            Some(Keyword::Expose) => expose(statement, report),
            _ => {}
        }
    }
}

fn is_upper(name: &str) -> bool {
    name.bytes().all(|byte| !byte.is_ascii_lowercase())
}

fn is_lower(name: &str) -> bool {
    name.bytes().all(|byte| !byte.is_ascii_uppercase())
}

/// The form most instructions have is the one all should have.
fn casing(statements: &[Statement], report: &mut Report<'_, '_>) {
    let upper = statements.iter().filter(|statement| is_upper(&statement.name)).count();
    let lower = statements.iter().filter(|statement| is_lower(&statement.name)).count();
    let (wanted, fits): (_, fn(&str) -> bool) =
        if lower > upper { ("lowercase", is_lower) } else { ("uppercase", is_upper) };
    for statement in statements.iter().filter(|statement| !fits(&statement.name)) {
        report.warn(
            "ConsistentInstructionCasing",
            statement.span,
            Some(&statement.name),
            format!("`{}` should match the case of the other instructions ({wanted})", statement.name),
        );
    }
}

fn from(statement: &Statement, report: &mut Report<'_, '_>) {
    let [_, word, name] = statement.arguments.as_slice() else { return };
    let same = (is_upper(&statement.name) && is_upper(word)) || (is_lower(&statement.name) && is_lower(word));
    if !same {
        let message = format!("`{word}` and `{}` are written in different ways", statement.name);
        report.warn("FromAsCasing", statement.span, Some(word), message);
    }
    description(statement, "FROM", &[&name.to_lowercase()], report);
    if !is_lower(name) {
        let message = format!("the name of the stage `{name}` should be in small letters");
        report.warn("StageNameCasing", statement.span, Some(name), message);
    }
    if ["context", "scratch"].contains(&name.to_lowercase().as_str()) {
        let message = format!("`{name}` means something else where a stage may stand");
        report.warn("ReservedStageName", statement.span, Some(name), message);
    }
}

/// The name of an argument, without its default.
fn name_of(argument: &str) -> &str {
    argument.split_once('=').map_or(argument, |(name, _)| name)
}

/// The last comment right above says what one of `names` is.
fn description(statement: &Statement, keyword: &str, names: &[&str], report: &mut Report<'_, '_>) {
    let Some(comment) = statement.comments.last() else { return };
    let described = comment.split(' ').next().unwrap_or_default();
    if names.is_empty() || names.contains(&described) {
        return;
    }
    let name = if let [one] = names { one } else { "NAME" };
    let message = format!("the comment above {keyword} describes nothing: it does not begin with `{name}`");
    let hint = format!("write `# {name} DESCRIPTION`, or a blank line below the comment");
    report.warn_with("InvalidDefinitionDescription", statement.span, None, message, &hint);
}

fn pairs(statement: &Statement, report: &mut Report<'_, '_>) {
    for pair in statement.arguments.chunks(3) {
        if let [name, value, equals] = pair
            && equals.is_empty()
        {
            let keyword = statement.name.to_uppercase();
            let hint = format!("{keyword} {name}={value}");
            let message = format!("`{keyword} name=value` should be used instead of `{keyword} name value`");
            report.warn_with("LegacyKeyValueFormat", statement.span, Some(name), message, &hint);
        }
    }
}

fn expose(statement: &Statement, report: &mut Report<'_, '_>) {
    for port in statement.arguments.iter().filter(|port| !port.contains('$')) {
        let (numbers, protocol) = port.split_once('/').unwrap_or((port, ""));
        if protocol != protocol.to_lowercase() {
            let message = format!("the protocol `{protocol}` of port `{numbers}` should be in small letters");
            report.warn("ExposeProtoCasing", statement.span, Some(port), message);
        }
        if numbers.contains(':') {
            let message =
                format!("`{port}` has an address or a port of the host, which EXPOSE does not take");
            report.warn("ExposeInvalidFormat", statement.span, Some(port), message);
        }
    }
}
