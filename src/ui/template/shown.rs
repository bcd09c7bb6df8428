//! How values are shown: as Go prints structs, times and durations, which to the templates are maps that have their
//! text with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{TemplateError, Value};

use super::{MAPS, ORDERED, PLAIN, SHOWN};

/// The function that each action's value goes through before it is printed.
pub(super) const FUNCTION: &str = "as_go_shows_it";

/// The same for a field that an object always has, though there may be nothing in it.
pub(super) const OF_FIELD: &str = "as_go_shows_a_field";

/// Words that begin actions which print nothing.
const CONTROL: [&str; 11] =
    ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue", "/*"];

/// The template with every action that prints something going through [`FUNCTION`]; a field `of_struct`s, through
/// [`OF_FIELD`].
pub(super) fn all(body: &str, of_struct: bool) -> String {
    let mut drawn = String::new();
    let mut rest = body;
    while let Some(begin) = rest.find("{{") {
        let Some(end) = end_of_action(&rest[begin + 2..]).map(|end| begin + 2 + end) else { break };
        let action = &rest[begin + 2..end];
        drawn.push_str(&rest[..begin + 2]);
        let (action, trim) = match action.strip_suffix('-') {
            Some(before) if before.ends_with([' ', '\t']) => (before, "-"),
            _ => (action, ""),
        };
        drawn.push_str(action);
        if prints(action) {
            let function = if of_struct && is_field(action) { OF_FIELD } else { FUNCTION };
            drawn.push_str(&format!(" | {function} "));
        }
        drawn.push_str(trim);
        drawn.push_str("}}");
        rest = &rest[end + 2..];
    }
    drawn + rest
}

/// Where the action ends that begins here: at braces that are in no string.
fn end_of_action(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (None, '"' | '`' | '\'') => quote = Some(letter),
            (Some('"' | '\''), '\\') => {
                letters.next();
            }
            (Some(open), _) if open == letter => quote = None,
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

fn prints(action: &str) -> bool {
    let body = action.trim_start_matches('-').trim();
    let word = body.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let assigns = || {
        let after =
            body.trim_start_matches(|c: char| c == '$' || c == '_' || c.is_alphanumeric()).trim_start();
        body.starts_with('$') && (after.starts_with(":=") || after.starts_with('='))
    };
    !body.is_empty() && !CONTROL.contains(&word) && !body.starts_with("/*") && !assigns()
}

/// Whether an action is a field of a struct and nothing else: what is in a map may be missing.
fn is_field(action: &str) -> bool {
    let path = action.trim_start_matches('-').trim();
    let is_path = path.len() > 1 && path.bytes().all(|c| c == b'.' || c == b'_' || c.is_ascii_alphanumeric());
    let parents = path.rsplit_once('.').map_or("", |(parents, _)| parents);
    path.starts_with('.') && is_path && !parents.split('.').any(|parent| MAPS.contains(&parent))
}

/// A field as Go prints it: a pointer to nothing has a text of its own.
pub(super) fn field(field: &Value) -> Value {
    match field {
        Value::Nil => Value::String("<nil>".into()),
        other => value(other),
    }
}

/// A list or an object as the text that Go prints; all else as it is.
pub(super) fn value(value: &Value) -> Value {
    match value {
        Value::List(_) | Value::Map(_) => Value::String(text(value).into()),
        other => other.clone(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::List(items) => {
            format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" "))
        }
        Value::Map(fields) => match fields.get(SHOWN) {
            Some(shown) => shown.to_string(),
            None => {
                let own = |(name, _): &(&Arc<str>, &Value)| ![PLAIN, ORDERED].contains(&name.as_ref());
                let field = |(name, value): (&Arc<str>, &Value)| match value {
                    // Sets are maps to a struct without fields.
                    Value::Map(nothing) if nothing.is_empty() => format!("{name}:{{}}"),
                    value => format!("{name}:{}", text(value)),
                };
                format!("map[{}]", fields.iter().filter(own).map(field).collect::<Vec<_>>().join(" "))
            }
        },
        other => other.to_string(),
    }
}

/// Go's own function, which knows lists and objects as well.
pub(super) fn printf(args: &[Value]) -> Result<Value, TemplateError> {
    let mut words = args.to_vec();
    if let Some(Value::String(format)) = args.first() {
        let mut verbs = format.chars();
        let mut of = 1;
        while verbs.by_ref().any(|letter| letter == '%') {
            let Some(verb) = verbs.by_ref().find(|c| c.is_alphabetic() || *c == '%') else { break };
            if verb == '%' {
                continue;
            }
            if let Some(word) = words.get_mut(of).filter(|_| matches!(verb, 's' | 'v')) {
                *word = value(word);
            }
            of += 1;
        }
    }
    let mut fields: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    let mut call = "{{printf".to_owned();
    for (nth, word) in words.into_iter().enumerate() {
        call.push_str(&format!(" .a{nth}"));
        fields.insert(format!("a{nth}").into(), word);
    }
    gotmpl::execute(&format!("{call}}}}}"), &Value::Map(Arc::new(fields)))
        .map(|text| Value::String(text.into()))
}
