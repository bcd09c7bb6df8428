//! `HEALTHCHECK`.

use super::Line;
use super::command::command_line;
use super::flags::{Flags, Takes};
use super::simple::at_least_one;
use super::size::nanoseconds;
use crate::ast::{CommandLine, Healthcheck};

const FORMS: &str = "`HEALTHCHECK CMD command` or `HEALTHCHECK NONE`";

/// The least time of every interval, in nanoseconds.
const LEAST: u64 = 1_000_000;

/// `HEALTHCHECK [flags] CMD command` or `HEALTHCHECK NONE`.
pub(super) fn healthcheck(line: &mut Line) -> Option<Healthcheck> {
    let times = ["interval", "timeout", "start-period", "start-interval"];
    let mut known = times.map(|name| (name, Takes::Value)).to_vec();
    known.push(("retries", Takes::Value));
    let flags = Flags::take(line, &known);
    let arguments = at_least_one(line, FORMS)?;
    let command = match arguments[0].to_ascii_uppercase().as_str() {
        "NONE" if arguments.len() == 1 => None,
        "NONE" => {
            line.wrong(&arguments[1], "`HEALTHCHECK NONE` takes nothing else", FORMS);
            return None;
        }
        "CMD" => {
            let command = command_line(line, &arguments[1..])?;
            if command == CommandLine::Exec(Vec::new()) {
                line.wrong("[", "the command is empty", "a command, or `HEALTHCHECK NONE`");
                return None;
            }
            Some(command)
        }
        _ => {
            line.wrong(&arguments[0], format!("`HEALTHCHECK` knows no `{}`", arguments[0]), FORMS);
            return None;
        }
    };
    let flags = flags?;
    let [interval, timeout, start_period, start_interval] = times.map(|name| time(line, &flags, name));
    let retries = retries(line, &flags);
    Some(Healthcheck {
        command,
        interval: interval?,
        timeout: timeout?,
        start_period: start_period?,
        start_interval: start_interval?,
        retries: retries?,
    })
}

/// A time in nanoseconds; zero where the flag is not there.
fn time(line: &mut Line, flags: &Flags, name: &str) -> Option<u64> {
    let Some(text) = flags.value(name).filter(|text| !text.is_empty()) else { return Some(0) };
    let time = nanoseconds(text);
    if time.is_none_or(|time| time > 0 && time < LEAST) {
        let message = format!("`--{name}` cannot be `{text}`");
        line.wrong(text, message, "a time of at least 1ms, such as `30s` or `1m30s`");
        return None;
    }
    time
}

fn retries(line: &mut Line, flags: &Flags) -> Option<u32> {
    let Some(text) = flags.value("retries").filter(|text| !text.is_empty()) else { return Some(0) };
    let retries = text.parse::<i32>().ok().and_then(|retries| u32::try_from(retries).ok());
    if retries.is_none() {
        line.wrong(text, format!("`--retries` cannot be `{text}`"), "a whole number");
    }
    retries
}
