//! The subordinate ids of a user: `/etc/subuid` and `/etc/subgid`, as subuid(5) describes them.

use std::path::Path;

use crate::error::{Context, Error, Kind, Result};
use crate::host::map_of;
use crate::host::probe::Knob;
use crate::sys::userns::IdRange;

/// The maps of users and groups for a namespace of this user.
pub(super) fn maps(etc: &Path, uid: u32, gid: u32) -> Result<(Vec<IdRange>, Vec<IdRange>)> {
    let passwd = std::fs::read_to_string(etc.join("passwd")).unwrap_or_default();
    let name = user_name(&passwd, uid);
    let ranges = |file: &str| -> Result<Vec<(u32, u32)>> {
        let found = parse(&read(etc, file)?, name, uid);
        let who = name.map_or_else(|| uid.to_string(), str::to_owned);
        if found.is_empty() {
            Err(missing("cannot enter a user namespace", etc, file, &who))
        } else {
            Ok(found)
        }
    };
    let uids = ranges("subuid")?;
    let gids = ranges("subgid")?;
    Ok((map_of(uid, &uids), map_of(gid, &gids)))
}

/// The ranges that `subuid` or `subgid` has for someone, who may be a number.
pub(super) fn of_name(etc: &Path, file: &str, who: &str) -> Result<Vec<(u32, u32)>> {
    // No id is the last one, so that a number is looked for as a name only.
    let found = parse(&read(etc, file)?, Some(who), u32::MAX);
    match found.is_empty() {
        true => Err(missing(&format!("cannot map the ids of `{}`", who.escape_debug()), etc, file, who)),
        false => Ok(found),
    }
}

fn read(etc: &Path, file: &str) -> Result<String> {
    let path = etc.join(file);
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.cannot("read", path.display()),
    }
}

fn missing(sentence: &str, etc: &Path, file: &str, who: &str) -> Error {
    Error::new(Kind::Denied, sentence)
        .because(format!("{} has no line for `{}`", etc.join(file).display(), who.escape_debug()))
        .hint(Knob::SubordinateIds.fix().replace("USER", who))
}

fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// The ranges of one user, as (first id, how many).
fn parse(text: &str, name: Option<&str>, uid: u32) -> Vec<(u32, u32)> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let who = fields.next()?;
            if Some(who) != name && who != number {
                return None;
            }
            let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (range.1 > 0).then_some(range)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let text = "# c\nother:1:2\nann:100000:65536\n1000:300000:10\nann:bad:1\nann:5\nann:7:0\n";
        assert_eq!(parse(text, Some("ann"), 1000), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(parse(text, None, 1001), []);
    }

    #[test]
    fn a_user_without_ranges_is_told_how_to_get_one() {
        let etc = tempfile::tempdir().unwrap();
        std::fs::write(etc.path().join("passwd"), "ann:x:1000:1000::/home/ann:/bin/sh\n").unwrap();
        let error = maps(etc.path(), 1000, 1000).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--add-subgids 100000-165535 ann`"));
    }
}
