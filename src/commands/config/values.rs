//! What the values of `kiln config` mean: pairs, lists of words, health checks.

use builder_core::{ConfigEdit as E, Error, Result};

use crate::settings::Environment;

/// Edits of something that has names: `-` removes all, `NAME-` removes one, anything else sets one.
pub(super) fn named(
    edits: &mut Vec<E>,
    values: &[String],
    read: impl Fn(&str) -> Result<Option<(String, String)>>,
    set: fn(String, String) -> E,
    unset: fn(String) -> E,
    clear: E,
) -> Result<()> {
    for value in values {
        match value.strip_suffix('-') {
            Some("") => edits.push(clear.clone()),
            Some(name) if !name.contains('=') => edits.push(unset(name.to_owned())),
            _ => edits.extend(read(value)?.map(|(name, value)| set(name, value))),
        }
    }
    Ok(())
}

/// A variable with its value; one that refers to others is worked out where these are known.
pub(super) fn env(name: String, value: String) -> E {
    if value.contains('$') { E::ExpandedEnv(name, value) } else { E::Env(name, value) }
}

/// `NAME=VALUE`; a name alone has an empty value.
pub(super) fn pair(text: &str) -> Result<Option<(String, String)>> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(Error::invalid(format!("cannot set `{text}`"))
            .because("there is no name before `=`")
            .hint("give NAME=VALUE"));
    }
    Ok(Some((name.to_owned(), value.to_owned())))
}

/// `NAME=VALUE`; a name alone takes its value from our environment.
pub(super) fn variable(text: &str) -> Result<Option<(String, String)>> {
    if text.contains('=') || text.is_empty() {
        return pair(text);
    }
    match Environment::set(text) {
        Some(value) => Ok(Some((text.to_owned(), value))),
        None => Err(Error::invalid(format!("cannot set the variable `{text}`"))
            .because("it is not set here, so there is no value to take")
            .hint(format!("give a value: --env {text}=VALUE, or remove it: --env {text}-"))),
    }
}

/// A JSON list is taken as it is; nothing removes it; anything else is a line for the shell.
pub(super) fn entrypoint(text: &str) -> Option<Vec<String>> {
    if text.trim().is_empty() {
        return None;
    }
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
        return Some(words);
    }
    Some(vec!["/bin/sh".into(), "-c".into(), text.into()])
}

/// A JSON list, or words split as a shell would split them.
pub(super) fn words(flag: &str, text: &str) -> Result<Vec<String>> {
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
        return Ok(words);
    }
    shlex::split(text).ok_or_else(|| {
        Error::invalid(format!("cannot split `{text}` into words"))
            .because("a quote in it is not closed")
            .hint(format!("give {flag} a JSON list: {flag} '[\"word\", \"word\"]'"))
    })
}

/// The test of a health check: `NONE`; `CMD` with words or a JSON list; `CMD-SHELL` with a line; all of it as a JSON
/// list. Nothing is none at all.
pub(super) fn health_test(text: &str) -> Result<Option<Vec<String>>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let test = match kind {
        "NONE" if rest.is_empty() => vec!["NONE".into()],
        "CMD" => [vec!["CMD".into()], words("--healthcheck CMD", rest)?].concat(),
        "CMD-SHELL" if !rest.is_empty() => vec!["CMD-SHELL".into(), rest.trim().into()],
        _ => serde_json::from_str(text).unwrap_or_default(),
    };
    let sound = match test.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["NONE"] | ["CMD-SHELL", _] => true,
        ["CMD", program, ..] => !program.is_empty(),
        _ => false,
    };
    if sound {
        return Ok(Some(test));
    }
    Err(Error::invalid(format!("cannot use the health check `{text}`"))
        .because("it begins with CMD, CMD-SHELL or NONE")
        .hint("--healthcheck 'CMD-SHELL curl -f http://localhost/ || exit 1'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_checks_have_three_forms() {
        let test = |text| health_test(text).map(|test| test.map(|words| words.join("|"))).ok().flatten();
        assert_eq!(test("CMD curl 'a b'").as_deref(), Some("CMD|curl|a b"));
        assert_eq!(test(r#"CMD ["curl", "a b"]"#).as_deref(), Some("CMD|curl|a b"));
        assert_eq!(test(r#"["CMD-SHELL", "x || y"]"#).as_deref(), Some("CMD-SHELL|x || y"));
        assert_eq!(test("CMD-SHELL  curl x || exit 1").as_deref(), Some("CMD-SHELL|curl x || exit 1"));
        assert_eq!(test("NONE").as_deref(), Some("NONE"));
        assert_eq!(health_test(" ").unwrap(), None);
        for bad in
            ["curl x", "CMD", "CMD-SHELL", "NONE x", "[]", "CMD 'open", r#"["NONE", "x"]"#, r#"CMD """#]
        {
            assert!(health_test(bad).is_err(), "{bad}");
        }
    }
}
