//! `kiln dockerfile`: what the parser sees in a file, and what words expand to.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use builder_core::{Error, Kind, Result};
use clap::{Subcommand, ValueEnum};
use dockerfile_frontend::words::Words;
use dockerfile_frontend::{Diagnostic, MAX_BYTES, Severity, Source, dump, parse, scan};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui;

/// Look into a Dockerfile as the parser does
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    look: Look,
}

#[derive(Debug, Subcommand)]
enum Look {
    /// Show what the parser saw
    Dump {
        /// `ast` is Moby's dump, a line for each instruction; `json` has every instruction with its fields and lines
        #[arg(long, value_enum, default_value = "ast")]
        format: DumpFormat,
        /// The Dockerfile, or `-` for standard input
        file: String,
    },
    /// Expand words from standard input, a line each: `ok` or `error`, a tab, and the result or what is wrong
    Lex {
        /// Split each line into words and join them with commas
        #[arg(long)]
        words: bool,
        /// The escape character
        #[arg(long, value_name = "C", default_value = "\\", value_parser = ["\\", "`"])]
        escape: String,
        /// A variable; without `=` it is set and empty
        #[arg(long, value_name = "K=V")]
        env: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DumpFormat {
    Ast,
    Json,
}

/// The most diagnostics that are shown: beyond it the file is no Dockerfile.
const MAX_SHOWN: usize = 50;

/// The longest line `lex` takes, in bytes.
const MAX_LINE: u64 = 1 << 20;

impl Args {
    /// Prints what was asked for.
    pub fn run(self, _context: &Context) -> Result<Exit> {
        match self.look {
            Look::Dump { format, file } => show(&file, format),
            Look::Lex { words, escape, env } => lex(words, if escape == "`" { '`' } else { '\\' }, &env),
        }
    }
}

fn show(file: &str, format: DumpFormat) -> Result<Exit> {
    let source = match Source::new(file, &read(file)?) {
        Ok(source) => source,
        Err(diagnostic) => return complain(file, &[diagnostic]),
    };
    let diagnostics = match format {
        DumpFormat::Ast => {
            let scanned = scan(&source);
            ui::result_bytes(dump(&scanned.statements).as_bytes());
            scanned.diagnostics
        }
        DumpFormat::Json => {
            let parsed = parse(&source);
            ui::result_json(&parsed.dockerfile);
            parsed.diagnostics
        }
    };
    complain(file, &diagnostics)
}

/// Shows all that was found; errors among it are an error.
fn complain(file: &str, diagnostics: &[Diagnostic]) -> Result<Exit> {
    for diagnostic in diagnostics.iter().take(MAX_SHOWN) {
        ui::remark(diagnostic);
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    match errors {
        0 => Ok(Exit::Success),
        1 => Err(Error::invalid(format!("cannot parse `{file}`")).because("1 error")),
        _ => Err(Error::invalid(format!("cannot parse `{file}`")).because(format!("{errors} errors"))),
    }
}

/// A byte more than a Dockerfile may have at most, so that a file that goes on shows.
fn read(file: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MAX_BYTES as u64 + 4;
    let result = if file == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(most).read_to_end(&mut bytes))
    };
    result.map_err(|cause| {
        let kind = if cause.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Io };
        Error::new(kind, format!("cannot read `{file}`")).because(cause)
    })?;
    Ok(bytes)
}

fn lex(split: bool, escape: char, env: &[String]) -> Result<Exit> {
    let variables: BTreeMap<String, String> = env
        .iter()
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut input = std::io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let cannot = |cause| Error::new(Kind::Io, "cannot read `standard input`").because(cause);
        input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line).map_err(cannot)?;
        if line.is_empty() {
            return Ok(Exit::Success);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() as u64 > MAX_LINE {
            return Err(Error::invalid("cannot expand a line longer than 1 MiB"));
        }
        match Words::new(escape).expand(&String::from_utf8_lossy(&line), &variables) {
            Ok(expansion) if split => ui::result(format_args!("ok\t{}", expansion.words.join(","))),
            Ok(expansion) => ui::result(format_args!("ok\t{}", expansion.text)),
            Err(error) => ui::result(format_args!("error\t{error}")),
        }
    }
}
