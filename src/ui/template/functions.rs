//! The functions of templates that Go's own do not have, with the names and arguments of Docker's and Podman's.

use gotmpl::{Template, TemplateError, Value};

use super::{ORDERED, PLAIN, SHOWN, shown as values};

/// The longest padding or cut that is drawn, characters.
const MAX_WIDTH: usize = 1 << 16;

type Done = Result<Value, TemplateError>;

/// Adds all of them to a template.
pub(super) fn add(template: Template) -> Template {
    template
        .func(values::FUNCTION, |args: &[Value]| Ok(args.first().map_or(Value::Nil, values::value)))
        .func(values::OF_FIELD, |args: &[Value]| Ok(args.first().map_or(Value::Nil, values::field)))
        .func("printf", values::printf)
        .func("json", json)
        .func("join", join)
        .func("split", split)
        .func("title", |args: &[Value]| Ok(text(title(&shown(args, 0)))))
        .func("upper", |args: &[Value]| Ok(text(shown(args, 0).to_uppercase())))
        .func("lower", |args: &[Value]| Ok(text(shown(args, 0).to_lowercase())))
        .func("truncate", |args: &[Value]| Ok(text(shown(args, 0).chars().take(width(args, 1)).collect())))
        .func("pad", pad)
}

fn text(text: String) -> Value {
    Value::String(text.into())
}

fn shown(args: &[Value], place: usize) -> String {
    args.get(place).map(ToString::to_string).unwrap_or_default()
}

fn width(args: &[Value], place: usize) -> usize {
    shown(args, place).parse().unwrap_or(0).min(MAX_WIDTH)
}

/// The value as compact JSON.
fn json(args: &[Value]) -> Done {
    let value = args.first().map_or(serde_json::Value::Null, plain);
    Ok(text(value.to_string()))
}

/// `join LIST SEPARATOR`.
fn join(args: &[Value]) -> Done {
    let separator = shown(args, 1);
    Ok(text(match args.first() {
        Some(Value::List(items)) => {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(&separator)
        }
        _ => shown(args, 0),
    }))
}

/// `split TEXT SEPARATOR`.
fn split(args: &[Value]) -> Done {
    let (whole, separator) = (shown(args, 0), shown(args, 1));
    let parts: Vec<Value> = match separator.as_str() {
        "" => whole.chars().map(|letter| text(letter.to_string())).collect(),
        separator => whole.split(separator).map(|part| text(part.to_owned())).collect(),
    };
    Ok(Value::List(parts.into()))
}

/// `pad TEXT BEFORE AFTER`: with so many spaces.
fn pad(args: &[Value]) -> Done {
    let (before, after) = (width(args, 1), width(args, 2));
    Ok(text(format!("{}{}{}", " ".repeat(before), shown(args, 0), " ".repeat(after))))
}

/// Every word with a capital.
fn title(whole: &str) -> String {
    let mut begins = true;
    let mut titled = String::new();
    for letter in whole.chars() {
        if begins {
            titled.extend(letter.to_uppercase());
        } else {
            titled.push(letter);
        }
        begins = !(letter.is_alphanumeric() || letter == '_' || letter == '\'');
    }
    titled
}

fn plain(value: &Value) -> serde_json::Value {
    use gotmpl::Value as V;
    match value {
        V::Bool(value) => (*value).into(),
        V::Int(value) => (*value).into(),
        V::Uint(value) => (*value).into(),
        V::Float(value) => (*value).into(),
        V::String(text) => text.as_ref().into(),
        V::List(items) => items.iter().map(plain).collect(),
        V::Map(fields) if fields.get(PLAIN).is_some() => {
            fields.get(PLAIN).map_or(serde_json::Value::Null, plain)
        }
        V::Map(fields) if fields.get(ORDERED).is_some() => {
            let written = fields.get(ORDERED).map(ToString::to_string).unwrap_or_default();
            serde_json::from_str(&written).unwrap_or_default()
        }
        V::Map(fields) => {
            let own = fields.iter().filter(|(name, _)| name.as_ref() != SHOWN);
            own.map(|(name, value)| (name.to_string(), plain(value))).collect()
        }
        _ => serde_json::Value::Null,
    }
}
