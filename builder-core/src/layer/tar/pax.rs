//! Pax headers: `<length> <key>=<value>\n`, one after the other, the length in decimal and counting itself.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::tree::Timestamp;

/// The records of one header, sorted by key when written, in their order when read.
pub(super) type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// Adds one record to `out`.
pub(super) fn put(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // Space, equals sign and newline.
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    // The length counts its own digits; adding them may add one more, never two.
    while length != rest + digits(length) {
        length = rest + digits(length);
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Takes a header apart.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Records> {
    let mut records = Records::new();
    while !bytes.is_empty() {
        let (record, rest) = split(bytes).ok_or_else(|| {
            Error::corrupt("cannot read a pax header").because("a record is not what its length says")
        })?;
        let equals = record.iter().position(|byte| *byte == b'=');
        let equals = equals.ok_or_else(|| {
            Error::corrupt("cannot read a pax header").because("a record has no equals sign")
        })?;
        records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        bytes = rest;
    }
    Ok(records)
}

/// The first record without length and newline, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = decimal(&bytes[..space])?;
    let record = bytes.get(space + 1..length)?;
    let record = record.strip_suffix(b"\n")?;
    Some((record, &bytes[length..]))
}

/// A plain decimal number.
pub(super) fn decimal<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A time: decimal seconds, negative before the epoch, with any number of decimal places.
pub(super) fn time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let (negative, whole) = whole.strip_prefix('-').map_or((false, whole), |whole| (true, whole));
    let seconds: i64 = decimal(whole.as_bytes())?;
    if !places.bytes().all(|place| place.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = places.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = nanoseconds.fold(0, |number, place| number * 10 + u32::from(place - b'0'));
    Some(match (negative, nanoseconds) {
        (false, nanoseconds) => Timestamp { seconds, nanoseconds },
        (true, 0) => Timestamp { seconds: -seconds, nanoseconds },
        (true, nanoseconds) => Timestamp { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

/// What holds for one entry: the records of global headers, then its own over them.
#[derive(Debug, Default)]
pub(super) struct Values {
    global: BTreeMap<Vec<u8>, Vec<u8>>,
    own: Records,
}

impl Values {
    /// Takes the records of a global header; an empty value takes one back.
    pub(super) fn set_global(&mut self, records: Records) -> Result<()> {
        for (key, value) in records {
            if value.is_empty() {
                self.global.remove(&key);
            } else {
                self.global.insert(key, value);
            }
        }
        let size: usize = self.global.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > super::read::MAX_HEADER {
            return Err(Error::corrupt("cannot read a pax header").because("the global ones are too large"));
        }
        Ok(())
    }

    /// Adds the records of the next entry's own header.
    pub(super) fn set_own(&mut self, records: Records) {
        self.own.extend(records);
    }

    /// Forgets what was the last entry's own.
    pub(super) fn clear_own(&mut self) {
        self.own.clear();
    }

    /// The value of `key`, unless it is empty, which stands for none.
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let own = self.own.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
        own.or_else(|| self.global.get(key)).map(Vec::as_slice).filter(|value| !value.is_empty())
    }

    /// The entry's own records in their order.
    pub(super) fn own(&self) -> &Records {
        &self.own
    }

    /// All records, global ones first.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.global.iter().chain(self.own.iter().map(|(key, value)| (key, value)))
    }
}
