//! Instructions that hold a command: `CMD ENTRYPOINT SHELL`, and `ONBUILD`, which holds an instruction.

use super::flags::Flags;
use super::simple::at_least_one;
use super::{Line, body};
use crate::ast::{Command, CommandLine, Keyword, Onbuild, Shell};

/// The command of a statement whose arguments were split as one: a JSON array or all of the line.
pub(super) fn command_line(line: &mut Line, arguments: &[String]) -> Option<CommandLine> {
    if line.statement.json {
        return Some(CommandLine::Exec(arguments.to_vec()));
    }
    let Some(command) = arguments.first() else {
        let statement = line.statement;
        let name = statement.name.to_uppercase();
        line.wrong(&statement.name, format!("`{name}` has no command"), "a command, or a JSON array");
        return None;
    };
    Some(CommandLine::Shell(command.clone()))
}

/// `CMD` and `ENTRYPOINT`.
pub(super) fn command(line: &mut Line) -> Option<Command> {
    let flags = Flags::take(line, &[]);
    let command = command_line(line, &line.statement.arguments)?;
    flags.map(|_| Command { command })
}

/// `SHELL ["program", "argument"]`.
pub(super) fn shell(line: &mut Line) -> Option<Shell> {
    const EXPECTED: &str = "a JSON array such as `[\"/bin/bash\", \"-c\"]`";
    let flags = Flags::take(line, &[]);
    let shell = at_least_one(line, EXPECTED)?.to_vec();
    if !line.statement.json {
        line.wrong(&shell[0], "`SHELL` takes a JSON array only", EXPECTED);
        return None;
    }
    flags.map(|_| Shell { shell })
}

/// `ONBUILD instruction`.
pub(super) fn onbuild(line: &mut Line) -> Option<Onbuild> {
    let flags = Flags::take(line, &[]);
    let statement = line.statement;
    let Some(trigger) = statement.trigger.as_deref() else {
        line.wrong(&statement.name, "`ONBUILD` has no instruction", "an instruction such as `RUN make`");
        return None;
    };
    match trigger.keyword {
        None => {
            let name = &trigger.name;
            let message = format!("there is no instruction `{name}`");
            let added = line.faults.error(statement.span, Some(name), message);
            added.nearest(name, &Keyword::names(), str::to_owned);
            return None;
        }
        Some(keyword @ (Keyword::From | Keyword::Maintainer)) => {
            let message = format!("`{keyword}` cannot stand in an `ONBUILD`");
            line.wrong(&trigger.name, message, "an instruction to run in the next build");
            return None;
        }
        Some(_) => {}
    }
    let mut text = trigger.text.clone();
    for heredoc in &statement.heredocs {
        text.push('\n');
        text.push_str(&heredoc.content);
        text.push_str(&heredoc.name);
    }
    let trigger = body(trigger, &mut Line { statement: trigger, faults: line.faults })?;
    flags.map(|_| Onbuild { trigger: Box::new(trigger), text })
}
