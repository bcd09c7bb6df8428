//! `--format`: Go templates over the rows of a list or one object, as scripts use them.

mod functions;
mod order;
mod shown;

use builder_core::{Error, Result};
use gotmpl::{MissingKey, Template};
use serde::Serialize;

/// The field of an object that holds it as JSON shows it, where templates see more names than that.
pub const PLAIN: &str = "\u{3}";

/// The field of an object that holds its text, where it is not that of a map.
pub const SHOWN: &str = "\u{1}";

/// The field of a struct that holds its JSON as text, for the order of its fields.
const ORDERED: &str = "\u{2}";

/// Fields that are maps: a name that is not in one is no error, unlike a field that an object never has.
const MAPS: [&str; 6] =
    ["Labels", "ImageAnnotations", "Annotations", "Volumes", "ExposedPorts", "annotations"];

/// A template that was parsed.
pub struct Format {
    template: Template,
    text: String,
    /// Whether it asked for a heading with `table`.
    is_table: bool,
}

impl Format {
    /// Parses `text`; `json` alone means the whole object, `table …` columns at tabs and spaces under a heading.
    pub fn parse(text: &str) -> Result<Self> {
        Format::read(text, false)
    }

    /// As [`Format::parse`]; `of_struct` if what is not there can only be a field with nothing in it.
    fn read(text: &str, of_struct: bool) -> Result<Self> {
        let (is_table, body) = match text.strip_prefix("table") {
            Some(rest) if rest.starts_with([' ', '\t', '{', '\\']) => (true, rest.trim_start()),
            _ => (false, text),
        };
        let body = if body.trim() == "json" { "{{json .}}" } else { body };
        let body = body.replace("\\t", "\t").replace("\\n", "\n");
        let body = if is_table { columns(&body) } else { body };
        let template = functions::add(Template::new("format")).parse(&shown::all(&body, of_struct)).map_err(
            |cause| {
                Error::invalid(format!("cannot use the format `{text}`"))
                    .because(cause.to_string())
                    .hint("a format is a Go template such as '{{.ID}} {{.Name}}', or json")
            },
        )?;
        Ok(Format { template, text: text.to_owned(), is_table })
    }

    /// Whether `text` asks for the whole list as JSON.
    pub fn is_json(text: &str) -> bool {
        text.trim() == "json"
    }

    /// Prints a line per row; for `table …` with columns at the tabs, under `heading`, a row whose values are headings.
    /// Without one, or for another format, there is none.
    pub fn list<'a, R: Serialize + 'a>(&self, heading: impl Into<Option<&'a R>>, rows: &[R]) -> Result<()> {
        if !self.is_table {
            for row in rows {
                super::result(self.fill(row)?);
            }
            return Ok(());
        }
        let cells = |row: &R| Ok(self.fill(row)?.split('\t').map(str::to_owned).collect::<Vec<_>>());
        let heading = heading.into().map(cells).transpose()?;
        let heading: Option<Vec<&str>> =
            heading.as_ref().map(|cells| cells.iter().map(String::as_str).collect());
        let rows = rows.iter().map(cells).collect::<Result<Vec<_>>>()?;
        super::result_bytes(super::table::draw(heading.as_deref(), &rows).as_bytes());
        Ok(())
    }

    /// Refuses a field that an object does not have, as Go does where an object always has all its fields.
    pub fn strict(self) -> Self {
        let lenient = MAPS.iter().any(|map| self.text.contains(&format!(".{map}.")));
        let missing = if lenient { MissingKey::default() } else { MissingKey::Error };
        let read = Format::read(&self.text, true).expect("it was parsed before");
        Format { template: read.template.missing_key(missing), ..self }
    }

    /// Fills the template in for one object.
    pub fn fill(&self, object: &impl Serialize) -> Result<String> {
        let bad = |cause: String| {
            Error::invalid(format!("cannot fill in the format `{}`", self.text))
                .because(cause)
                .hint("see all fields with --format json")
        };
        let mut object = serde_json::to_value(object).map_err(|cause| bad(cause.to_string()))?;
        order::keep(&mut object);
        let value = gotmpl::to_value(&object).map_err(|cause| bad(cause.to_string()))?;
        self.template.execute_to_string(&value).map_err(|cause| bad(cause.to_string()))
    }
}

/// A space between the columns of a table is a tab; what is within an action stays.
fn columns(body: &str) -> String {
    let mut drawn = String::new();
    let mut rest = body;
    while let Some(begin) = rest.find("{{") {
        let end = rest[begin..].find("}}").map_or(rest.len(), |end| begin + end + 2);
        drawn.push_str(&rest[..begin].replace(' ', "\t"));
        drawn.push_str(&rest[begin..end]);
        rest = &rest[end..];
    }
    drawn + &rest.replace(' ', "\t")
}

#[cfg(test)]
mod tests;
