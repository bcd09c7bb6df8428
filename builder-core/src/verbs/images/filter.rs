//! Which images a list has: the conditions of `images --filter`, as the field's tools know them.
//!
//! Conditions with different keys must all hold; of several with one key one is enough, but every label must be there.

use std::collections::BTreeMap;

use crate::builder::{Builder, now};
use crate::error::{Error, Result};
use crate::name::Reference;
use crate::oci::Digest;
use crate::verbs::images::ImageInfo;

/// The images of the store that meet conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Images {
    /// Conditions, each `KEY=VALUE` or `KEY!=VALUE`.
    pub filters: Vec<String>,
    /// Also images without a name that others were made of.
    pub all: bool,
}

/// One condition.
struct Condition {
    key: &'static str,
    value: Value,
    negated: bool,
}

/// What a condition asks for.
enum Value {
    Truth(bool),
    Text(String),
    /// Seconds since the epoch.
    Time(i64),
    /// When an image was made, and its place among those made in the same second.
    Moment(i64, usize),
}

const KEYS: [&str; 12] = [
    "after",
    "before",
    "containers",
    "dangling",
    "digest",
    "id",
    "intermediate",
    "label",
    "readonly",
    "reference",
    "since",
    "until",
];

impl Images {
    /// The list, the newest last.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Vec<ImageInfo>> {
        let mut listed = super::images(builder)?;
        let parse = |text: &String| condition(text, builder, &listed);
        let conditions: Vec<Condition> = self.filters.iter().map(parse).collect::<Result<_>>()?;
        let asked = self.all || conditions.iter().any(|condition| condition.key == "intermediate");
        if conditions.is_empty() {
            listed.retain(|image| asked || !image.intermediate);
            return Ok(listed);
        }
        let used = used_by_containers(builder)?;
        // By its place: images say when they were made in whole seconds.
        let mut place = 0;
        listed.retain(|image| {
            place += 1;
            (asked || !image.intermediate) && holds(&conditions, image, place - 1, &used)
        });
        Ok(listed)
    }
}

/// Images that containers were made of.
fn used_by_containers(builder: &Builder<'_>) -> Result<Vec<Digest>> {
    Ok(builder.store.containers()?.into_iter().filter_map(|container| Some(container.base?.id)).collect())
}

fn holds(conditions: &[Condition], image: &ImageInfo, place: usize, used: &[Digest]) -> bool {
    let mut by_key: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for condition in conditions {
        let met = condition.met(image, place, used) != condition.negated;
        by_key.entry(condition.key).or_default().push(met);
    }
    by_key.into_iter().all(|(key, met)| match key {
        "label" => met.into_iter().all(|met| met),
        _ => met.into_iter().any(|met| met),
    })
}

/// Reads one condition. An image that another is compared with must exist.
fn condition(text: &str, builder: &Builder<'_>, listed: &[ImageInfo]) -> Result<Condition> {
    let sentence = format!("cannot use the filter `{text}`");
    let parsed = match (text.find("!="), text.find('=')) {
        (Some(not), Some(is)) if not < is => Some((&text[..not], true, &text[not + 2..])),
        (_, Some(is)) => Some((&text[..is], false, &text[is + 1..])),
        _ => None,
    };
    let Some((name, negated, value)) = parsed else {
        return Err(Error::invalid(sentence)
            .because("it is not KEY=VALUE or KEY!=VALUE")
            .hint("--filter dangling=true"));
    };
    let Some(key) = KEYS.iter().find(|key| **key == name) else {
        return Err(Error::invalid(sentence)
            .because(format!("there is no key `{name}`"))
            .hint(format!("the keys are {}", KEYS.join(", "))));
    };
    let value = match *key {
        "containers" | "dangling" | "intermediate" | "readonly" => match value {
            "true" | "t" | "1" | "True" | "TRUE" => Value::Truth(true),
            "false" | "f" | "0" | "False" | "FALSE" => Value::Truth(false),
            _ => {
                return Err(Error::invalid(sentence)
                    .because(format!("`{value}` is neither true nor false"))
                    .hint(format!("--filter {name}=true")));
            }
        },
        "before" | "since" | "after" => {
            let id = builder.store.find_image(value)?.id;
            let place = listed.iter().position(|image| image.id == id).unwrap_or_default();
            Value::Moment(seconds(listed.get(place).and_then(|image| image.created.as_deref())), place)
        }
        "until" => Value::Time(until(value).ok_or_else(|| {
            Error::invalid(sentence)
                .because("it is neither a time nor a span of time")
                .hint("--filter until=24h, or until=2026-01-31T12:00:00Z")
        })?),
        _ => Value::Text(value.to_owned()),
    };
    Ok(Condition { key, value, negated })
}

impl Condition {
    fn met(&self, image: &ImageInfo, place: usize, used: &[Digest]) -> bool {
        match (&self.value, self.key) {
            (Value::Truth(wanted), key) => {
                let is = match key {
                    "containers" => used.contains(&image.id),
                    "dangling" => image.names.is_empty() && !image.intermediate,
                    "intermediate" => image.intermediate,
                    _ => image.read_only,
                };
                is == *wanted
            }
            (Value::Time(time), _) => seconds(image.created.as_deref()) < *time,
            (Value::Moment(time, reference), key) => {
                let (this, that) = ((seconds(image.created.as_deref()), place), (*time, *reference));
                if key == "before" { this < that } else { this > that }
            }
            (Value::Text(text), "id") => {
                let digits = text.strip_prefix("sha256:").unwrap_or(text);
                !digits.is_empty() && image.id.hex().starts_with(digits)
            }
            (Value::Text(text), "digest") => {
                let digits = text.strip_prefix("sha256:").unwrap_or(text);
                !digits.is_empty() && image.digest.hex().starts_with(digits)
            }
            (Value::Text(text), "label") => match text.split_once('=') {
                Some((name, value)) => image.labels.get(name).is_some_and(|found| found == value),
                None => image.labels.contains_key(text),
            },
            (Value::Text(text), _) => image.names.iter().any(|name| refers(text, name)),
        }
    }
}

/// Whether a pattern means a full name: as it is, or without its tag, host or path.
fn refers(pattern: &str, name: &str) -> bool {
    let Ok(name) = name.parse::<Reference>() else { return false };
    let full = name.to_string();
    let repository = name.repository();
    let base = repository.rsplit('/').next().unwrap_or_default().to_owned();
    let tag = name.tag().unwrap_or("latest").to_owned();
    let path = name.path().to_owned();
    let with_tag = |name: &str| format!("{name}:{tag}");
    let forms = [with_tag(&path), with_tag(&base), full, repository, path, base];
    forms.iter().any(|form| glob(pattern.as_bytes(), form.as_bytes()))
}

/// `*` and `?` within a part between slashes, as shells match file names.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                again = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') if text[t] != b'/' => {
                p += 1;
                t += 1;
                continue;
            }
            Some(letter) if *letter == text[t] => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        match again {
            Some((after, from)) if text[from] != b'/' => {
                again = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}

/// When an image was made, seconds since the epoch; one that does not say it was made at its beginning.
fn seconds(created: Option<&str>) -> i64 {
    created.and_then(|time| time.parse::<jiff::Timestamp>().ok()).map_or(0, jiff::Timestamp::as_second)
}

/// A point in time, or how long before now: `24h`, `90m`.
fn until(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_second());
    }
    if let Ok(date) = text.parse::<jiff::civil::DateTime>() {
        return Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second());
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    let span: jiff::SignedDuration = text.parse().ok()?;
    now().checked_sub(span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_names_in_all_their_forms() {
        let name = "registry.example/team/app:v1";
        for pattern in
            [name, "app", "app:v1", "team/app", "team/app:v1", "registry.example/team/app", "a*:v?"]
        {
            assert!(refers(pattern, name), "{pattern}");
        }
        for pattern in ["app:v2", "team/*:v2", "*/app/x", "", "te"] {
            assert!(!refers(pattern, name), "{pattern}");
        }
        assert!(refers("*one*", "localhost/one:latest"));
        assert!(!refers("registry*", name));
    }

    #[test]
    fn times_are_points_or_spans() {
        assert_eq!(until("2026-01-31T12:00:00Z"), Some(1_769_860_800));
        assert_eq!(until("2026-01-31T12:00:00"), Some(1_769_860_800));
        assert!(until("1h").is_some_and(|time| time < now()));
        assert_eq!(until("soon"), None);
    }
}
