//! `RUN` and its flags; what a `--mount` says is in [`super::mount`].

use super::Line;
use super::command::command_line;
use super::csv::fields;
use super::flags::{Flags, Takes};
use super::mount;
use crate::ast::{CommandLine, Device, NetworkMode, Run, Security};

const FLAGS: [(&str, Takes); 4] = [
    ("mount", Takes::Values),
    ("network", Takes::Value),
    ("security", Takes::Value),
    ("device", Takes::Values),
];

/// `RUN [flags] command`.
pub(super) fn run(line: &mut Line) -> Option<Run> {
    let flags = Flags::take(line, &FLAGS);
    let command = command_line(line, &line.statement.arguments)?;
    if command == CommandLine::Exec(Vec::new()) {
        line.wrong("[", "the command is empty", "a command");
        return None;
    }
    let flags = flags?;
    // All are looked at before one of them ends it.
    let mounts: Vec<_> = flags.values("mount").map(|text| mount::parse(line, text)).collect();
    let devices: Vec<_> = flags.values("device").map(|text| device(line, text)).collect();
    let networks =
        [("default", NetworkMode::Default), ("none", NetworkMode::None), ("host", NetworkMode::Host)];
    let network = choice(line, &flags, "network", &networks);
    let security =
        choice(line, &flags, "security", &[("sandbox", Security::Sandbox), ("insecure", Security::Insecure)]);
    Some(Run {
        command,
        heredocs: line.statement.heredocs.clone(),
        mounts: mounts.into_iter().collect::<Option<_>>()?,
        network: network?,
        security: security?,
        devices: devices.into_iter().collect::<Option<_>>()?,
    })
}

/// A flag with a fixed set of values. The outer `None` is a mistake, the inner one a flag that is not there.
fn choice<T: Copy>(line: &mut Line, flags: &Flags, name: &str, known: &[(&str, T)]) -> Option<Option<T>> {
    let Some(text) = flags.value(name) else { return Some(None) };
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
        return Some(Some(*value));
    }
    let words: Vec<String> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
    line.wrong(text, format!("`--{name}` cannot be `{text}`"), &words.join(" or "));
    None
}

/// `--device=NAME`, `--device=name=NAME,required`.
fn device(line: &mut Line, text: &str) -> Option<Device> {
    let mut wrong = |message: &str| line.wrong(text, format!("`--device={text}`: {message}"), "");
    let fields = fields(text).map_err(&mut wrong).ok()?;
    let mut device = Device { name: String::new(), required: false };
    for field in fields {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(k, v)| (k, Some(v)));
        match (key.to_ascii_lowercase().as_str(), value) {
            ("required", value) => match value.map_or(Some(true), mount::boolean) {
                Some(required) => device.required = required,
                None => {
                    wrong("`required` is `true` or `false`");
                    return None;
                }
            },
            ("name", Some(value)) if device.name.is_empty() => value.clone_into(&mut device.name),
            // The first field may be the name without more, and a CDI name has a `=` in it.
            _ if device.name.is_empty() => device.name.clone_from(&field),
            ("name", Some(_)) => {
                wrong("the name stands here a second time");
                return None;
            }
            _ => {
                wrong("only `name` and `required` are known");
                return None;
            }
        }
    }
    Some(device)
}
