//! The signals that `STOPSIGNAL` takes: those of Linux, by name with or without `SIG`, or by number.

/// Those before the real-time ones, signal(7), with the other names that some have.
const NAMES: [&str; 34] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// How far the real-time signals go up from the lowest, and down from the highest, by name.
const UP: u8 = 15;
const DOWN: u8 = 14;

/// Whether there is such a signal. Of numbers any but zero is one: other systems have others.
pub(super) fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u32>() {
        return number > 0;
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let within = |rest: &str, sign: char, most: u8| {
        let number = rest.strip_prefix(sign).and_then(|number| number.parse::<u8>().ok());
        rest.is_empty() || number.is_some_and(|number| (1..=most).contains(&number))
    };
    NAMES.contains(&name)
        || name.strip_prefix("RTMIN").is_some_and(|rest| within(rest, '+', UP))
        || name.strip_prefix("RTMAX").is_some_and(|rest| within(rest, '-', DOWN))
}
