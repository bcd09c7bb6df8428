//! Values with commas: a list in one flag, as the field's tools split it.

use builder_core::{Error, Result};

/// The items of all values: split at commas, except within double quotes, where `""` is a quote.
pub fn split_all(flag: &str, values: &[String]) -> Result<Vec<String>> {
    let mut items = Vec::new();
    for value in values {
        let split = split(value).ok_or_else(|| {
            Error::invalid(format!("cannot use `{flag}={value}`"))
                .because("a quote in it is not closed, or stands in the middle of an item")
                .hint(format!("write an item with a comma as {flag} '\"a,b\"'"))
        })?;
        items.extend(split);
    }
    Ok(items)
}

/// One line of comma-separated values (RFC 4180).
fn split(value: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut rest = value;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let (item, after) =
                rest.split_once(',').map_or((rest, None), |(item, after)| (item, Some(after)));
            if item.contains('"') {
                return None;
            }
            items.push(item.to_owned());
            match after {
                Some(after) => rest = after,
                None => return Some(items),
            }
            continue;
        };
        let mut item = String::new();
        let mut text = quoted;
        let after = loop {
            let end = text.find('"')?;
            item.push_str(&text[..end]);
            text = &text[end + 1..];
            match text.strip_prefix('"') {
                Some(more) => {
                    item.push('"');
                    text = more;
                }
                None => break text,
            }
        };
        items.push(item);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return after.is_empty().then_some(items),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_split_at_commas_outside_quotes() {
        let items = |text| split(text).map(|items| items.join("|"));
        assert_eq!(items("a,b,,c").as_deref(), Some("a|b||c"));
        assert_eq!(items(r#""a,b",c,"say ""x""""#).as_deref(), Some(r#"a,b|c|say "x""#));
        assert_eq!(items("").as_deref(), Some(""));
        for bad in [r#"a"b"#, r#""a"#, r#""a"b,c"#] {
            assert_eq!(items(bad), None, "{bad}");
        }
    }
}
