//! `--source-policy-file`: which images a build may begin with, and which are taken in their place.
//!
//! Format: BuildKit's source policy, as JSON. Only images are looked at; the first rule that fits decides.

use std::path::Path;

use builder_core::{Error, Kind, Reference, Result};
use serde::Deserialize;

use super::context::cannot;

/// As much as a file of rules may have, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// What identifiers of images begin with.
const IMAGE: &str = "docker-image://";

/// The rules, in order.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Rules {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Deserialize)]
struct Rule {
    action: Action,
    selector: Selector,
    #[serde(default)]
    updates: Updates,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Action {
    Allow,
    Deny,
    Convert,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    identifier: String,
    #[serde(default)]
    match_type: MatchType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum MatchType {
    #[default]
    Wildcard,
    Exact,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Updates {
    #[serde(default)]
    identifier: String,
}

impl Rules {
    /// Reads a file of rules.
    pub fn read(path: &Path) -> Result<Self> {
        use std::io::Read;
        let mut text = Vec::new();
        let file = std::fs::File::open(path).map_err(|cause| cannot("read", path, cause))?;
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(|cause| cannot("read", path, cause))?;
        let wrong = || Error::invalid(format!("cannot use the source policy `{}`", path.display()));
        let hint = r#"{"rules": [{"action": "DENY", "selector": {"identifier": "docker-image://*"}}]}"#;
        let rules: Rules =
            serde_json::from_slice(&text).map_err(|cause| wrong().because(cause).hint(hint))?;
        for rule in &rules.rules {
            if rule.selector.identifier.is_empty() {
                return Err(wrong().because("a rule has no selector.identifier").hint(hint));
            }
            if rule.action == Action::Convert && rule.updates.identifier.is_empty() {
                let missing = format!("the rule for `{}` converts to nothing", rule.selector.identifier);
                return Err(wrong()
                    .because(missing)
                    .hint(r#"add "updates": {"identifier": "docker-image://IMAGE"}"#));
            }
        }
        Ok(rules)
    }

    /// The image to take for `name`.
    pub fn apply(&self, name: &str) -> Result<String> {
        if self.rules.is_empty() {
            return Ok(name.to_owned());
        }
        // A short name is known by both of its full ones: it may be here, or on Docker's registry.
        let full = [name.parse::<Reference>(), Reference::on_registry(name)];
        let mut known: Vec<String> =
            full.into_iter().flatten().map(|name| format!("{IMAGE}{name}")).collect();
        known.push(format!("{IMAGE}{name}"));
        let fits = |rule: &&Rule| known.iter().any(|identifier| rule.selector.fits(identifier));
        let Some(rule) = self.rules.iter().find(fits) else { return Ok(name.to_owned()) };
        match rule.action {
            Action::Allow => Ok(name.to_owned()),
            Action::Deny => Err(Error::new(Kind::Denied, format!("cannot use the image `{name}`"))
                .because(format!("the source policy denies `{}`", rule.selector.identifier))
                .hint("name another image, or put a rule that allows it first")),
            Action::Convert => {
                let to = &rule.updates.identifier;
                Ok(to.strip_prefix(IMAGE).unwrap_or(to).to_owned())
            }
        }
    }
}

impl Selector {
    fn fits(&self, identifier: &str) -> bool {
        match self.match_type {
            MatchType::Exact => self.identifier == identifier,
            MatchType::Wildcard => is_like(identifier.as_bytes(), self.identifier.as_bytes()),
        }
    }
}

/// Whether `text` is as `pattern` says: `*` is any letters, `?` is one. Takes time in the product of both lengths.
fn is_like(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(place) {
            Some(b'*') => {
                star = Some((place, at));
                place += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[at] => (at, place) = (at + 1, place + 1),
            _ => {
                let Some((of_star, taken)) = star else { return false };
                star = Some((of_star, taken + 1));
                (at, place) = (taken + 1, of_star + 1);
            }
        }
    }
    pattern[place..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests;
