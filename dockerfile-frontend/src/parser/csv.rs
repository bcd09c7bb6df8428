//! The comma-separated values of `--mount` and `--device`: one record, fields may be in double quotes.

/// The fields of `text`, or what is wrong with it. A quote inside a quoted field is written twice.
pub(super) fn fields(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut fields, mut rest) = (Vec::new(), text);
    loop {
        let (field, after) = field(rest)?;
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// The first field, and what follows its comma.
fn field(text: &str) -> Result<(String, Option<&str>), &'static str> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let (field, after) = text.split_once(',').map_or((text, None), |(field, after)| (field, Some(after)));
        if field.contains('"') {
            return Err("a quote stands inside a field that does not start with one");
        }
        return Ok((field.to_owned(), after));
    };
    let mut field = String::new();
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quote is not closed")?;
        field.push_str(part);
        if let Some(after) = after.strip_prefix('"') {
            field.push('"');
            rest = after;
        } else if after.is_empty() {
            return Ok((field, None));
        } else {
            let after = after.strip_prefix(',').ok_or("a comma is missing after a quote")?;
            return Ok((field, Some(after)));
        }
    }
}
