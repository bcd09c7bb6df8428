//! Who a name is inside an image: its own `/etc/passwd` and `/etc/group`, never the host's.
//!
//! Both files come from an image and may be anything: they are read through [`Root`] with a bound, a line that is not
//! one is passed over, and a number that does not fit is as good as absent. What the ids may do is not decided here.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use crate::error::{Context, Error, Kind, Result};
use crate::tree::Root;

/// No passwd or group file of an image is read beyond this many bytes.
const LIMIT: u64 = 1 << 20;

/// A user of an image, ready to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// User id, as numbered inside the container.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// The supplementary groups, the primary one first; no id twice.
    pub groups: Vec<u32>,
    /// The home directory by passwd, not checked to exist; `None` where passwd does not know the user.
    pub home: Option<String>,
    /// The login name by passwd.
    pub name: Option<String>,
}

/// Finds the user that `spec` means: `user`, `uid`, `user:group`, `uid:gid`, `:group`, or nothing for root.
///
/// A number is an id, whatever names passwd has; its primary group comes from passwd, or is 0 where passwd does not
/// know it. Supplementary groups are those of the group file, unless `spec` names the group: then only that one.
pub(crate) fn resolve(root: &Root, spec: &str) -> Result<User> {
    let (user, group) = split(spec);
    let passwd = Lines::read(root, "/etc/passwd")?;
    let id = parse_id(user);
    let record = match id {
        Ok(uid) => passwd.records().find(|record| record.uid == uid),
        Err(_) => passwd.records().find(|record| record.name == user.as_bytes()),
    };
    let uid = match (id, &record) {
        (Ok(uid), _) => uid,
        (Err(_), Some(record)) => record.uid,
        (Err(fault), None) => return Err(unknown("user", user, "/etc/passwd", fault)),
    };
    let name = record.as_ref().map(|record| text(record.name));
    let primary = record.as_ref().map_or(0, |record| record.gid);
    let gid = match group {
        None => primary,
        Some("") => primary,
        Some(group) => self::group(root, group)?,
    };
    let mut groups = vec![gid];
    if let (None, Some(record)) = (group, &record) {
        for line in Lines::read(root, "/etc/group")?.lines() {
            if let Some(found) = Group::parse(line)
                && found.has(record.name)
                && !groups.contains(&found.gid)
            {
                groups.push(found.gid);
            }
        }
    }
    let home = record.as_ref().map(|record| text(record.home)).filter(|home| home.starts_with('/'));
    Ok(User { uid, gid, groups, home, name })
}

/// The owner that `--chown` means. The spec is as for [`resolve`], but a number alone is the user and the group,
/// whatever passwd says of it.
pub(crate) fn owner(root: &Root, spec: &str) -> Result<(u32, u32)> {
    if let Ok(id) = parse_id(spec) {
        return Ok((id, id));
    }
    resolve(root, spec).map(|user| (user.uid, user.gid))
}

/// Takes the spec apart; an absent user is root.
fn split(spec: &str) -> (&str, Option<&str>) {
    let (user, group) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    (if user.is_empty() { "0" } else { user }, group)
}

/// The id of the group that a name or number means.
pub(crate) fn group(root: &Root, group: &str) -> Result<u32> {
    let fault = match parse_id(group) {
        Ok(gid) => return Ok(gid),
        Err(fault) => fault,
    };
    let file = Lines::read(root, "/etc/group")?;
    let found = file.lines().filter_map(Group::parse).find(|record| record.name == group.as_bytes());
    found.map(|record| record.gid).ok_or_else(|| unknown("group", group, "/etc/group", fault))
}

/// The greatest id of a user or group that the image's files name, but for those that are nobody's, 65534.
pub(crate) fn greatest(root: &Root) -> Result<u32> {
    const NOBODY: u32 = 65_534;
    let (passwd, groups) = (Lines::read(root, "/etc/passwd")?, Lines::read(root, "/etc/group")?);
    let users = passwd.records().flat_map(|record| [record.uid, record.gid]);
    let groups = groups.lines().filter_map(Group::parse).map(|group| group.gid);
    Ok(users.chain(groups).filter(|id| *id != NOBODY).max().unwrap_or_default())
}

/// Why a word is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotAnId {
    /// It is a word, so it may be a name.
    Word,
    /// It is a number, but none that an id can be.
    Range,
}

/// Takes plain decimal digits for an id. 4294967295 is none: the system calls read it as "leave the id as it is",
/// and a process told to become it would stay root.
fn parse_id(word: &str) -> Result<u32, NotAnId> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAnId::Word);
    }
    // `u32` would parse a leading plus.
    if digits.len() != word.len() {
        return Err(NotAnId::Range);
    }
    match word.parse::<u32>() {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => Err(NotAnId::Range),
    }
}

fn unknown(what: &str, name: &str, file: &str, fault: NotAnId) -> Error {
    match fault {
        NotAnId::Range => Error::invalid(format!("cannot use the {what} `{name}`"))
            .because("an id is a whole number from 0 to 4294967294")
            .hint(format!("give a {what} name of the image or a number in that range")),
        NotAnId::Word => Error::new(Kind::NotFound, format!("cannot find the {what} `{name}`"))
            .because(format!("{file} of the image has no such {what}"))
            .hint(format!("give a number instead, or add the {what} first")),
    }
}

/// A file of lines from an image; one that is absent has none.
struct Lines(Vec<u8>);

impl Lines {
    fn read(root: &Root, path: &str) -> Result<Self> {
        match root.read(path, LIMIT) {
            Ok(bytes) => Ok(Lines(bytes)),
            // A component that is a file says the same as one that is absent: there is no such list here.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Lines(Vec::new()))
            }
            Err(error) => Err(error).cannot("read", format_args!("{path} of the image")),
        }
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'\n')
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.lines().filter_map(Record::parse)
    }
}

/// One line of passwd(5): `name:password:uid:gid:gecos:home:shell`.
struct Record<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

impl<'a> Record<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty() && name[0] != b'#')?;
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        let home = fields.nth(1).unwrap_or_default();
        Some(Record { name, uid, gid, home })
    }
}

/// One line of group(5): `name:password:gid:member,member`.
struct Group<'a> {
    name: &'a [u8],
    gid: u32,
    members: &'a [u8],
}

impl<'a> Group<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty() && name[0] != b'#')?;
        let gid = number(fields.nth(1)?)?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    }

    fn has(&self, user: &[u8]) -> bool {
        self.members.split(|byte| *byte == b',').any(|member| member.trim_ascii() == user)
    }
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok().and_then(|field| parse_id(field).ok())
}

fn text(field: &[u8]) -> String {
    OsStr::from_bytes(field).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
