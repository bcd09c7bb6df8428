//! Words on the command line that are not understood, as errors like all others: one sentence, then the hint.

use builder_core::Error;
use clap::error::{ContextKind as C, ContextValue, ErrorKind as E};

/// The parser's error in our form; `verb` is what was typed so far, such as `kiln config`.
pub fn misunderstood(error: &clap::Error, verb: &str) -> Error {
    let text = |kind| error.get(kind).map(shown).unwrap_or_default();
    let usage = text(C::Usage);
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).split('\n').next().unwrap_or_default();
    let named = verb_of(usage);
    let verb = if named.is_empty() { verb.to_owned() } else { named };
    let (word, value) = (flag_of(&text(C::InvalidArg)), text(C::InvalidValue));
    let pair = if word.starts_with('-') { format!("{word}={value}") } else { value.clone() };
    let help = format!("see `{verb} --help`");
    let suggested = [C::SuggestedArg, C::SuggestedSubcommand, C::SuggestedValue].map(text);
    let suggested = suggested.into_iter().find(|text| !text.is_empty());
    let hint = suggested.map_or_else(|| help.clone(), |word| format!("did you mean `{word}`? {help}"));
    match error.kind() {
        E::UnknownArgument if word.starts_with('-') => Error::invalid(format!("cannot understand `{word}`"))
            .because(format!("`{verb}` has no such flag"))
            .hint(hint),
        E::UnknownArgument => Error::invalid(format!("cannot understand `{word}`"))
            .because(format!("`{verb}` takes no further word"))
            .hint(help),
        E::InvalidSubcommand => Error::invalid(format!("cannot understand `{}`", text(C::InvalidSubcommand)))
            .because(format!("`{verb}` has no such verb"))
            .hint(hint),
        E::MissingRequiredArgument => Error::invalid(format!("cannot do `{verb}`"))
            .because(missing(&text(C::InvalidArg)))
            .hint(format!("it is used so: {usage}")),
        E::MissingSubcommand => {
            Error::invalid(format!("cannot do `{verb}`")).because("a verb is missing").hint(help)
        }
        E::ArgumentConflict => {
            let other = flag_of(&text(C::PriorArg));
            Error::invalid(format!("cannot use `{word}` and `{other}` together")).hint(help)
        }
        E::InvalidValue if value.is_empty() => {
            Error::invalid(format!("cannot use `{word}`")).because("a value is missing").hint(help)
        }
        E::InvalidValue => Error::invalid(format!("cannot use `{pair}`"))
            .because(format!("it may be {}", text(C::ValidValue).replace(", ", " or ")))
            .hint(hint),
        E::ValueValidation => {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            Error::invalid(format!("cannot use `{pair}`")).because(cause).hint(help)
        }
        E::NoEquals => Error::invalid(format!("cannot use `{word}`"))
            .because(format!("its value comes after `=`: {word}=VALUE"))
            .hint(help),
        E::TooManyValues | E::TooFewValues | E::WrongNumberOfValues => {
            Error::invalid(format!("cannot use `{word}`"))
                .because("it has another number of values")
                .hint(help)
        }
        E::InvalidUtf8 => {
            Error::invalid("cannot understand a word").because("it is not UTF-8 text").hint(help)
        }
        _ => Error::invalid("cannot understand the command").because(error.to_string()).hint(help),
    }
}

/// What the parser tells of the error, as text; several words with commas between.
fn shown(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::StyledStrs(texts) => {
            texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        ContextValue::Bool(value) => value.to_string(),
        ContextValue::Number(value) => value.to_string(),
        _ => String::new(),
    }
}

fn missing(args: &str) -> String {
    match args.rsplit_once(", ") {
        Some((others, last)) => format!("{others} and {last} are missing"),
        None => format!("{args} is missing"),
    }
}

/// `--env` of `--env <NAME=VALUE>`.
fn flag_of(text: &str) -> String {
    let end = if text.starts_with('-') { text.find([' ', '=', '[']) } else { None };
    text[..end.unwrap_or(text.len())].to_owned()
}

/// `kiln config` of `kiln config [OPTIONS] <CONTAINER>`.
fn verb_of(usage: &str) -> String {
    let words = usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-', '{']));
    words.collect::<Vec<_>>().join(" ")
}
