//! Statements as Moby's parser dumps its tree: one line each, for comparison with other tools.
//!
//! ```text
//! (from "busybox")
//! (copy ["--from=base"] "a" "b")
//! (env "NAME" "value" "=")
//! (onbuild (run "make"))
//! ```
//!
//! The name is in lower case, the flags a bracketed list, the arguments quoted as Go quotes strings. A pair of `ENV` or
//! `LABEL` gives three: key, value, and `=` or nothing. The texts of heredocs are not shown.

#[cfg(test)]
mod tests;

use crate::statement::Statement;

/// The dump of all `statements`, each on a line of its own.
#[must_use]
pub fn dump(statements: &[Statement]) -> String {
    let mut dumped = String::new();
    for statement in statements {
        write(statement, &mut dumped);
        dumped.push('\n');
    }
    dumped
}

fn write(statement: &Statement, out: &mut String) {
    out.push('(');
    out.push_str(&statement.name.to_lowercase());
    for (place, flag) in statement.flags.iter().enumerate() {
        out.push_str(if place == 0 { " [" } else { " " });
        quote(flag, out);
    }
    if !statement.flags.is_empty() {
        out.push(']');
    }
    for argument in &statement.arguments {
        out.push(' ');
        quote(argument, out);
    }
    if let Some(trigger) = &statement.trigger {
        out.push(' ');
        write(trigger, out);
    }
    out.push(')');
}

/// Quotes as Go does: printable characters stand for themselves, of the blanks only the space.
fn quote(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for letter in text.chars() {
        let written = match letter {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\x07' => out.write_str("\\a"),
            '\x08' => out.write_str("\\b"),
            '\x0c' => out.write_str("\\f"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\x0b' => out.write_str("\\v"),
            _ if is_printable(letter) => out.write_char(letter),
            '\0'..'\u{80}' => write!(out, "\\x{:02x}", u32::from(letter)),
            '\u{80}'..'\u{10000}' => write!(out, "\\u{:04x}", u32::from(letter)),
            _ => write!(out, "\\U{:08x}", u32::from(letter)),
        };
        written.expect("a string takes all that is written");
    }
    out.push('"');
}

fn is_printable(letter: char) -> bool {
    if letter.is_ascii() {
        return !letter.is_ascii_control();
    }
    // A marking letter is shown as it is only behind another one; that is no question of printing.
    let mut pair = [b'x', 0, 0, 0, 0];
    let length = letter.encode_utf8(&mut pair[1..]).len();
    let pair = std::str::from_utf8(&pair[..=length]).unwrap_or("x");
    pair.escape_debug().count() == 2
}
