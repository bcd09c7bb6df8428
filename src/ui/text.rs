//! Numbers and times as people read them, in the words the field's tools use; and text of others that is safe to show.

use std::borrow::Cow;

/// Bytes in thousands, three digits: `2.47 KB`.
pub fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut unit = 0;
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    while amount >= 999.5 && unit < UNITS.len() - 1 {
        amount /= 1000.0;
        unit += 1;
    }
    let digits = if amount >= 99.95 {
        0
    } else if amount >= 9.995 {
        1
    } else {
        2
    };
    let number = format!("{amount:.digits$}");
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number} {}", UNITS[unit])
}

/// The longest part of a message, in characters; a word of the command line or of an image may have any length.
const MAX_PART: usize = 2000;

/// A part of a message as it is safe to show: what a terminal would obey, and what would begin another line, is written
/// out; what is very long is cut; the name and password in an address are left out.
pub fn one_line(text: &str) -> Cow<'_, str> {
    match without_logins(text) {
        Cow::Borrowed(text) => on_one_line(text),
        Cow::Owned(text) => Cow::Owned(on_one_line(&text).into_owned()),
    }
}

/// `docker://…@host/x` for `docker://user:password@host/x`.
fn without_logins(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find("//").map(|at| at + 2) {
        let (before, after) = rest.split_at(begin);
        shown.push_str(before);
        rest = after;
        if let Some(end) = end_of_login(after) {
            shown.push('…');
            rest = &after[end..];
        }
    }
    if shown.contains('…') { Cow::Owned(shown + rest) } else { Cow::Borrowed(text) }
}

/// Where the `@` is that ends name and password at the beginning of what follows `//`.
fn end_of_login(address: &str) -> Option<usize> {
    let ends = |c: char| c.is_whitespace() || "`'\"".contains(c);
    let word = &address[..address.find(ends).unwrap_or(address.len())];
    let authority = word.split('/').next().unwrap_or(word);
    // A password may have a slash, where somebody wrote it as it is: then there is no port after the colon.
    let has_port = authority.split_once(':').is_none_or(|(_, port)| port.bytes().all(|c| c.is_ascii_digit()));
    let within = if has_port || authority.contains('@') { authority } else { word };
    // The other `@` of a name is the one before a digest.
    let ats = within.rmatch_indices('@').map(|(at, _)| at);
    ats.into_iter()
        .find(|at| !["@sha256:", "@sha384:", "@sha512:"].iter().any(|it| word[*at..].starts_with(it)))
}

fn on_one_line(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control();
    if text.chars().take(MAX_PART + 1).count() <= MAX_PART && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for c in text.chars().take(MAX_PART) {
        if is_plain(c) { shown.push(c) } else { shown.extend(c.escape_debug()) }
    }
    if text.chars().nth(MAX_PART).is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// How long a machine has run: `3h 21m 36s (Approximately 0.14 days)`.
pub fn uptime(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours}h {minutes}m {rest}s (Approximately {:.2} days)", seconds as f64 / 86_400.0)
}

/// How long ago, in the largest unit that fits: `3 hours ago`.
pub fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    let words = match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if days < 14 => format!("{days} days"),
        () if days < 60 => format!("{} weeks", days / 7),
        () if days < 730 => format!("{} months", days / 30),
        () => format!("{} years", days / 365),
    };
    format!("{words} ago")
}

/// How long something took: `3.2 s`, `1 min 5 s`.
pub fn duration(took: std::time::Duration) -> String {
    let tenths = took.as_millis() / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = took.as_secs();
    match seconds / 3600 {
        0 => format!("{} min {} s", seconds / 60, seconds % 60),
        hours => format!("{hours} h {} min", seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let drawn: Vec<String> = [0, 999, 2474, 24_740, 999_499, 999_500, 1 << 30].map(size).into();
        assert_eq!(drawn, ["0 B", "999 B", "2.47 KB", "24.7 KB", "999 KB", "1 MB", "1.07 GB"]);
    }

    #[test]
    fn a_message_is_one_line_that_no_terminal_obeys() {
        assert_eq!(one_line("cannot find `é`"), "cannot find `é`");
        assert_eq!(one_line("a\nError: b\u{1b}[31m\u{9b}c"), "a\\nError: b\\u{1b}[31m\\u{9b}c");
        let long = one_line(&"x".repeat(70_000)).into_owned();
        assert_eq!((long.chars().count(), long.ends_with("x…")), (MAX_PART + 1, true));
    }

    #[test]
    fn a_message_shows_no_password_of_an_address() {
        let shown = |text| one_line(text).into_owned();
        assert_eq!(shown("cannot use `docker://u:pw@h:5000/x:y`"), "cannot use `docker://…@h:5000/x:y`");
        assert_eq!(shown("write http://u:p@w@h or //t@h"), "write http://…@h or //…@h");
        assert_eq!(shown("docker://u:p/w@h/x@sha256:12"), "docker://…@h/x@sha256:12");
        assert_eq!(shown("https://u:pw@share.example/x"), "https://…@share.example/x");
        for plain in ["docker://h:5000/x:y@sha256:12 //", "docker://x:y@sha256:12", "https://h/@a/b `a@b`"] {
            assert!(matches!(one_line(plain), Cow::Borrowed(_)), "{plain}");
        }
    }

    #[test]
    fn uptimes_are_hours_and_days() {
        assert_eq!(uptime(12_096), "3h 21m 36s (Approximately 0.14 days)");
    }

    #[test]
    fn ages_use_the_largest_unit() {
        let drawn: Vec<String> =
            [0, 1, 59, 60, 3599, 3600, 90_000, 10 * 86_400, 800 * 86_400].map(age).into();
        let expected = [
            "Less than a second ago",
            "1 second ago",
            "59 seconds ago",
            "About a minute ago",
            "59 minutes ago",
            "About an hour ago",
            "25 hours ago",
            "10 days ago",
            "2 years ago",
        ];
        assert_eq!(drawn, expected);
    }
}
