//! `--call`: questions about a Dockerfile that are answered without a build, for people or as JSON.
//!
//! The fields of the JSON are those of the answers that BuildKit's front end gives to these questions.

use dockerfile_frontend::ast::{Argument, Body, MountText, Run};
use dockerfile_frontend::{Span, Statement, lint};
use serde_json::{Value, json};

use super::read::Read;
use crate::exit::Exit;
use crate::ui;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Nothing: build.
    Build,
    /// What is hardly meant.
    Check,
    /// What a build of the target can be given.
    Outline,
    /// Which stages there are.
    Targets,
}

/// A question, and the form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// What is asked.
    pub question: Question,
    /// Whether the answer is JSON.
    pub json: bool,
}

impl Call {
    /// Reads `QUESTION[,format=text|json]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut question, mut json) = (None, false);
        for field in text.split(',') {
            match field.strip_prefix("format=").ok_or(field) {
                Ok("json") => json = true,
                Ok("text") => json = false,
                Ok(other) => return Err(format!("the format is text or json, and not `{other}`")),
                Err("build") if question.is_none() => question = Some(Question::Build),
                Err("check" | "lint") if question.is_none() => question = Some(Question::Check),
                Err("outline") if question.is_none() => question = Some(Question::Outline),
                Err("targets") if question.is_none() => question = Some(Question::Targets),
                Err(other) => return Err(format!("`{other}` is none of build, check, outline, targets")),
            }
        }
        Ok(Call { question: question.unwrap_or(Question::Build), json })
    }

    /// Prints the answer; nothing if nothing is asked.
    pub fn answer(self, read: &Read) -> Option<Exit> {
        match (self.question, self.json) {
            (Question::Build, _) => return None,
            (Question::Check, json) => return Some(check(read, json)),
            (Question::Outline, true) => ui::result_json(&Outline::of(read).json()),
            (Question::Outline, false) => Outline::of(read).show(),
            (Question::Targets, true) => ui::result_json(&json!({"targets": targets(read)})),
            (Question::Targets, false) => show_targets(&targets(read)),
        }
        Some(Exit::Success)
    }
}

/// Where something is, as BuildKit has it.
fn location(span: Span) -> Value {
    json!({"ranges": [{"start": {"line": span.first}, "end": {"line": span.last}}]})
}

/// An object of those pairs that say something.
fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    let says = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    pairs.into_iter().filter(|(_, value)| says(value)).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn check(read: &Read, json: bool) -> Exit {
    let all = &read.warnings.all;
    if json {
        let warnings: Vec<Value> = all
            .iter()
            .map(|found| {
                let rule = lint::Rule::of(found);
                let message = found.message.as_str();
                let detail = rule.map_or(message, |rule| message[rule.name.len() + 1..].trim_start());
                object([
                    ("ruleName", rule.map(|rule| rule.name).into()),
                    ("description", rule.map(|rule| rule.says).into()),
                    ("detail", detail.into()),
                    ("location", location(Span::line(found.line()))),
                ])
            })
            .collect();
        let source = json!({"filename": read.source.name(), "language": "Dockerfile"});
        ui::result_json(&json!({"warnings": warnings, "sources": [source]}));
    } else {
        match all.len() {
            0 => ui::result("Check complete, no warnings found."),
            1 => ui::result("Check complete, 1 warning found."),
            many => ui::result(format_args!("Check complete, {many} warnings found.")),
        }
    }
    if all.is_empty() { Exit::Success } else { Exit::Broken }
}

/// The statement at a place in the file, for the comments above it.
fn statement_at(read: &Read, span: Span) -> Option<&Statement> {
    let place = read.statements.binary_search_by_key(&span.first, |statement| statement.span.first).ok()?;
    read.statements.get(place)
}

fn description<'r>(read: &'r Read, span: Span, name: &str) -> &'r str {
    statement_at(read, span).and_then(|statement| statement.description(name)).unwrap_or_default()
}

/// The stages, the last of which is the default.
fn targets(read: &Read) -> Vec<Value> {
    let stages = &read.graph.stages;
    let froms =
        read.parsed.dockerfile.instructions.iter().filter_map(|instruction| match &instruction.body {
            Body::From(from) => Some((instruction.span, from)),
            _ => None,
        });
    froms
        .enumerate()
        .map(|(place, (span, from))| {
            let name = from.name.as_deref().unwrap_or_default();
            object([
                ("name", name.into()),
                ("default", (place + 1 == stages.len()).into()),
                ("description", description(read, span, name).into()),
                ("base", from.image.as_str().into()),
                ("platform", from.platform.as_deref().into()),
                ("location", location(span)),
            ])
        })
        .collect()
}

fn show_targets(targets: &[Value]) {
    let text = |target: &Value, name: &str| target[name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = targets
        .iter()
        .enumerate()
        .map(|(place, target)| {
            let name = target["name"].as_str().map_or_else(|| place.to_string(), str::to_owned);
            let default = if target["default"] == true { " (default)" } else { "" };
            vec![format!("{name}{default}"), text(target, "base"), text(target, "description")]
        })
        .collect();
    ui::result_bytes(ui::table::draw(Some(&["TARGET", "BASE", "DESCRIPTION"]), &rows).as_bytes());
}

/// What a build of the target can be given.
struct Outline {
    name: String,
    description: String,
    arguments: Vec<Value>,
    secrets: Vec<Value>,
    agents: Vec<Value>,
    caches: Vec<Value>,
}

impl Outline {
    fn of(read: &Read) -> Self {
        let graph = &read.graph;
        let target = &graph.stages[graph.target];
        let name = target.name.clone().unwrap_or_default();
        let description = description(read, target.span, &name).to_owned();
        let (arguments, secrets, agents, caches) = Default::default();
        let mut outline = Outline { name, description, arguments, secrets, agents, caches };
        let needed = graph.needed();
        for (place, instruction) in read.parsed.dockerfile.instructions.iter().enumerate() {
            let of_stage = graph.stages.iter().position(|stage| stage.instructions.contains(&place));
            if of_stage.is_some_and(|stage| !needed.contains(&stage)) {
                continue;
            }
            match &instruction.body {
                Body::Arg(arg) => {
                    arg.arguments.iter().for_each(|one| outline.argument(read, one, instruction.span));
                }
                Body::Run(run) => outline.mounts(run, instruction.span),
                _ => {}
            }
        }
        outline
    }

    /// One that is declared in several stages is given once.
    fn argument(&mut self, read: &Read, argument: &Argument, span: Span) {
        let name = argument.name.as_str();
        let given = read.given.arguments.get(name).or(argument.default.as_ref());
        let value = given.or(read.given.platform.get(name)).map(String::as_str);
        let known = self.arguments.iter_mut().find(|known| known["name"] == name);
        let found = object([
            ("name", name.into()),
            ("description", description(read, span, name).into()),
            ("value", value.into()),
            ("location", location(span)),
        ]);
        match known {
            Some(known) if known["value"].is_null() => *known = found,
            Some(_) => {}
            None => self.arguments.push(found),
        }
    }

    fn mounts(&mut self, run: &Run, span: Span) {
        for mount in &run.mounts {
            let required = has(mount, "required");
            let id = option(mount, "id");
            let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
            let (list, key, id) = match option(mount, "type").unwrap_or("bind") {
                "secret" => {
                    let by_path = option(mount, "target").map(file).unwrap_or_default();
                    (&mut self.secrets, "name", id.map_or(by_path, str::to_owned))
                }
                "ssh" => (&mut self.agents, "name", id.unwrap_or("default").to_owned()),
                "cache" => {
                    let target = option(mount, "target").unwrap_or_default();
                    (&mut self.caches, "ID", id.unwrap_or(target).to_owned())
                }
                _ => continue,
            };
            match list.iter_mut().find(|known| known[key] == *id) {
                Some(known) if required => known["required"] = true.into(),
                Some(_) => {}
                None => list.push(object([
                    (key, id.into()),
                    ("required", required.into()),
                    ("location", location(span)),
                ])),
            }
        }
    }

    fn json(self) -> Value {
        object([
            ("name", self.name.into()),
            ("description", self.description.into()),
            ("args", self.arguments.into()),
            ("secrets", self.secrets.into()),
            ("ssh", self.agents.into()),
            ("cache", self.caches.into()),
        ])
    }

    fn show(self) {
        let default = if self.name.is_empty() { "(default)" } else { self.name.as_str() };
        let mut text = format!("TARGET: {default}\n");
        if !self.description.is_empty() {
            text.push_str(&format!("DESCRIPTION: {}\n", self.description));
        }
        let cell = |row: &Value, name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            Value::Bool(yes) => yes.to_string(),
            _ => String::new(),
        };
        let tables: [(&[&str], &[&str], &[Value]); 4] = [
            (&["BUILD ARG", "VALUE", "DESCRIPTION"], &["name", "value", "description"], &self.arguments),
            (&["SECRET", "REQUIRED"], &["name", "required"], &self.secrets),
            (&["SSH", "REQUIRED"], &["name", "required"], &self.agents),
            (&["CACHE"], &["ID"], &self.caches),
        ];
        for (heads, fields, rows) in tables.into_iter().filter(|(.., rows)| !rows.is_empty()) {
            let cells = |row: &Value| fields.iter().map(|name| cell(row, name)).collect();
            let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
            text.push('\n');
            text.push_str(&ui::table::draw(Some(heads), &rows));
        }
        ui::result_bytes(text.as_bytes());
    }
}

fn option<'m>(mount: &'m MountText, name: &str) -> Option<&'m str> {
    let found = mount.options.iter().find(|option| option.name == name)?;
    found.value.as_deref().filter(|value| !value.is_empty())
}

/// Whether a word that may stand alone is there and not `false`.
fn has(mount: &MountText, name: &str) -> bool {
    let found = mount.options.iter().find(|option| option.name == name);
    found.is_some_and(|option| !matches!(option.value.as_deref(), Some("false" | "0")))
}
