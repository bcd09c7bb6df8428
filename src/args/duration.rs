//! Durations as Go writes them: `1h30m`, `1.5s`, `300ms`.

/// Nanoseconds. A number needs its unit, only `0` has none; several follow each other without spaces.
pub fn nanoseconds(text: &str) -> Result<i64, String> {
    let (negative, number) = match text.strip_prefix(['-', '+']) {
        Some(number) => (text.starts_with('-'), number),
        None => (false, text),
    };
    if number == "0" {
        return Ok(0);
    }
    let malformed = || format!("`{text}` is not a duration such as 30s, 1m30s or 500ms");
    let mut rest = number;
    let mut sum: f64 = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(malformed)?;
        let amount: f64 = rest[..digits].parse().map_err(|_| malformed())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let scale = match &rest[..unit] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return Err(malformed()),
        };
        rest = &rest[unit..];
        sum += amount * scale;
    }
    if number.is_empty() || sum >= i64::MAX as f64 {
        return Err(malformed());
    }
    let sum = sum.round() as i64;
    Ok(if negative { -sum } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_does() {
        assert_eq!(nanoseconds("30s"), Ok(30_000_000_000));
        assert_eq!(nanoseconds("1h2m3.5s"), Ok(3_723_500_000_000));
        assert_eq!(nanoseconds("100ms10us1ns"), Ok(100_010_001));
        assert_eq!(nanoseconds("0"), Ok(0));
        assert_eq!(nanoseconds("-1.5m"), Ok(-90_000_000_000));
        for bad in ["", "2", "s", "1x", "1 s", "..5s", "9999999h9999999h", "-", "1s2"] {
            assert!(nanoseconds(bad).is_err(), "{bad}");
        }
    }
}
