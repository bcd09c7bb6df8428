//! `--format`: Go templates over the rows of a list or one object, as scripts use them.

use builder_core::{Error, Result};
use gotmpl::{MissingKey, Template};
use serde::Serialize;

/// The field of an object that holds it as JSON shows it, where templates see more names than that.
pub const PLAIN: &str = "";

/// A template that was parsed.
pub struct Format {
    template: Template,
    /// Whether it asked for a heading with `table`.
    is_table: bool,
}

impl Format {
    /// Parses `text`; `json` alone means the whole object, `table …` columns at tabs under a heading.
    pub fn parse(text: &str) -> Result<Self> {
        let (is_table, body) = match text.strip_prefix("table ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let body = if body.trim() == "json" { "{{json .}}" } else { body };
        let body = body.replace("\\t", "\t").replace("\\n", "\n");
        let template = Template::new("format").func("json", json).func("join", join);
        let case = |change: fn(&str) -> String| {
            move |args: &[gotmpl::Value]| {
                Ok(gotmpl::Value::String(
                    change(&args.first().map(ToString::to_string).unwrap_or_default()).into(),
                ))
            }
        };
        let template = template.func("upper", case(str::to_uppercase)).func("lower", case(str::to_lowercase));
        let template = template.parse(&body).map_err(|cause| {
            Error::invalid(format!("cannot use the format `{text}`"))
                .because(cause.to_string())
                .hint("a format is a Go template such as '{{.ID}} {{.Name}}', or json")
        })?;
        Ok(Format { template, is_table })
    }

    /// Prints a line per row; for `table …` with columns at the tabs, under `heading`, a row whose values are headings.
    pub fn list<R: Serialize>(&self, heading: &R, rows: &[R]) -> Result<()> {
        if !self.is_table {
            for row in rows {
                super::result(self.fill(row)?);
            }
            return Ok(());
        }
        let cells = |row: &R| Ok(self.fill(row)?.split('\t').map(str::to_owned).collect::<Vec<_>>());
        let heading = cells(heading)?;
        let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
        let rows = rows.iter().map(cells).collect::<Result<Vec<_>>>()?;
        super::result_bytes(super::table::draw(Some(&heading), &rows).as_bytes());
        Ok(())
    }

    /// Refuses a field that an object does not have, as Go does where an object always has all its fields.
    pub fn strict(self) -> Self {
        Format { template: self.template.missing_key(MissingKey::Error), ..self }
    }

    /// Fills the template in for one object.
    pub fn fill(&self, object: &impl Serialize) -> Result<String> {
        let bad = |cause: String| Error::invalid("cannot fill in the format").because(cause);
        let value = gotmpl::to_value(object).map_err(|cause| bad(cause.to_string()))?;
        self.template.execute_to_string(&value).map_err(|cause| bad(cause.to_string()))
    }
}

/// Go's `json`: the value as compact JSON.
fn json(args: &[gotmpl::Value]) -> std::result::Result<gotmpl::Value, gotmpl::TemplateError> {
    let value = args.first().map_or(serde_json::Value::Null, plain);
    Ok(gotmpl::Value::String(value.to_string().into()))
}

/// `join LIST SEPARATOR`, as Docker's and Podman's formats have it.
fn join(args: &[gotmpl::Value]) -> std::result::Result<gotmpl::Value, gotmpl::TemplateError> {
    let separator = args.get(1).map(ToString::to_string).unwrap_or_default();
    let joined = match args.first() {
        Some(gotmpl::Value::List(items)) => {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(&separator)
        }
        Some(other) => other.to_string(),
        None => String::new(),
    };
    Ok(gotmpl::Value::String(joined.into()))
}

fn plain(value: &gotmpl::Value) -> serde_json::Value {
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
        V::Map(fields) => fields.iter().map(|(name, value)| (name.to_string(), plain(value))).collect(),
        _ => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(format: &str) -> String {
        let object = serde_json::json!({"ID": "ab", "Config": {"Env": ["A=1", "B=2"]}, "N": 3});
        Format::parse(format).unwrap().fill(&object).unwrap()
    }

    #[test]
    fn templates_as_scripts_use_them() {
        assert_eq!(fill("{{.ID}} {{.N}}"), "ab 3");
        assert_eq!(fill("{{.Config.Env}}"), "[A=1 B=2]");
        assert_eq!(fill("{{json .Config.Env}}"), r#"["A=1","B=2"]"#);
        assert_eq!(fill("{{range .Config.Env}}{{.}};{{end}}"), "A=1;B=2;");
        assert_eq!(fill("{{index .Config.Env 1}}"), "B=2");
        assert_eq!(fill(r#"{{join .Config.Env ","}}{{upper .ID}}"#), "A=1,B=2AB");
    }

    #[test]
    fn a_bad_template_is_refused() {
        assert!(Format::parse("{{.ID").is_err());
        let unknown = Format::parse("{{nothere .}}").and_then(|format| format.fill(&1));
        assert!(unknown.is_err());
    }
}
