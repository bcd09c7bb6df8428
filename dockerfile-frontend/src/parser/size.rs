//! Amounts in the forms Docker takes: sizes such as `64m` or `1.5GiB`, durations such as `1m30s`.

/// Bytes: a number, perhaps a blank, perhaps one of `k m g t p`, perhaps `i`, perhaps `b`; all powers of 1024.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let number = lower.trim_end_matches('b');
    let number = if lower.len() - number.len() <= 1 { number } else { return None };
    let number = number.strip_suffix('i').unwrap_or(number);
    let (number, power) = match number.char_indices().next_back() {
        Some((place, unit)) if !unit.is_ascii_digit() => (&number[..place], 1 + "kmgtp".find(unit)?),
        _ => (number, 0),
    };
    let number = number.strip_suffix(' ').unwrap_or(number);
    let is_number = number.starts_with(|digit: char| digit.is_ascii_digit())
        && number.ends_with(|digit: char| digit.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let unit = 1_u64 << (10 * power);
    let bytes = number.parse::<f64>().ok().filter(|_| is_number)? * unit as f64;
    (bytes < (1_u64 << 62) as f64).then_some(bytes as u64)
}

/// Nanoseconds: numbers with a unit each, from `ns` to `h`, as Go reads and writes durations; or `0`.
#[must_use]
pub fn nanoseconds(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = 0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(unit_at);
        let ends = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(ends);
        let unit = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    // Above this Go's durations overflow.
    (total < (1_u64 << 63) as f64).then(|| total.round() as u64)
}
