//! What `--chmod` takes: an octal number, or clauses as of chmod(1) such as `u=rwX,go=rX`.

use crate::error::{Error, Result};

/// A change of permission bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModeChange(Change);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// These bits and no other.
    Exactly(u32),
    /// Clause after clause.
    Clauses(Vec<Clause>),
}

/// One `<who><operator><permissions>`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    /// The classes it is about: any of [`USER`], [`GROUP`], [`OTHER`].
    who: u32,
    operator: char,
    /// Permissions for one class, 0o7 at most.
    permissions: u32,
    /// `X`: execution for directories and for what someone may execute already.
    conditional_execute: bool,
    /// `s`.
    set_id: bool,
    /// `t`.
    sticky: bool,
    /// `u`, `g` or `o` on the right: a copy of what that class has.
    copied: Option<u32>,
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHER: u32 = 0o1007;
const RWX: u32 = 0o777;
const SET_ID: u32 = 0o6000;
const STICKY: u32 = 0o1000;

impl ModeChange {
    /// Reads an octal number up to 7777 or a comma-separated list of clauses.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let octal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let change = if octal {
            u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).map(Change::Exactly)
        } else {
            text.split(',')
                .map(parse_clauses)
                .collect::<Option<Vec<_>>>()
                .map(|lists| Change::Clauses(lists.concat()))
        };
        change.map(ModeChange).ok_or_else(|| {
            Error::invalid(format!("cannot use the mode `{text}`"))
                .because("it is neither an octal number up to 7777 nor a list such as `u=rwX,go=rX`")
                .hint("--chmod=0755, or --chmod=u=rwX,go=rX")
        })
    }

    /// The permission bits that something with `mode` gets.
    pub(crate) fn apply(&self, mode: u32, directory: bool) -> u32 {
        match &self.0 {
            Change::Exactly(mode) => *mode,
            Change::Clauses(clauses) => {
                clauses.iter().fold(mode, |mode, clause| clause.apply(mode, directory))
            }
        }
    }
}

/// `u=rw` is one clause, `u=rw+x` two about the same classes.
fn parse_clauses(text: &str) -> Option<Vec<Clause>> {
    let operators = text.find(['+', '-', '='])?;
    let mut who = 0;
    for class in text[..operators].chars() {
        who |= class_bits(class)?;
    }
    if who == 0 {
        // chmod(1) would take the umask into account here; an image must not depend on it.
        who = USER | GROUP | OTHER;
    }
    let mut clauses = Vec::new();
    let mut rest = &text[operators..];
    while let Some(operator) = rest.chars().next() {
        rest = &rest[1..];
        let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
        clauses.push(parse_permissions(who, operator, &rest[..end])?);
        rest = &rest[end..];
    }
    Some(clauses)
}

fn class_bits(class: char) -> Option<u32> {
    match class {
        'u' => Some(USER),
        'g' => Some(GROUP),
        'o' => Some(OTHER),
        'a' => Some(USER | GROUP | OTHER),
        _ => None,
    }
}

fn parse_permissions(who: u32, operator: char, text: &str) -> Option<Clause> {
    let mut clause = Clause {
        who,
        operator,
        permissions: 0,
        conditional_execute: false,
        set_id: false,
        sticky: false,
        copied: None,
    };
    if matches!(text, "u" | "g" | "o") {
        clause.copied = text.chars().next().and_then(class_bits);
        return Some(clause);
    }
    for permission in text.chars() {
        match permission {
            'r' => clause.permissions |= 4,
            'w' => clause.permissions |= 2,
            'x' => clause.permissions |= 1,
            'X' => clause.conditional_execute = true,
            's' => clause.set_id = true,
            't' => clause.sticky = true,
            _ => return None,
        }
    }
    Some(clause)
}

impl Clause {
    fn apply(&self, mode: u32, directory: bool) -> u32 {
        let mut one = self.permissions;
        if self.conditional_execute && (directory || mode & 0o111 != 0) {
            one |= 1;
        }
        if let Some(class) = self.copied {
            let bits = mode & class & RWX;
            one = (bits | bits >> 3 | bits >> 6) & 0o7;
        }
        let mut bits = one * 0o111;
        if self.set_id {
            bits |= SET_ID;
        }
        if self.sticky {
            bits |= STICKY;
        }
        // Sticky belongs to no class: `u+t` sets it as `+t` does.
        let mask = self.who | if self.sticky { STICKY } else { 0 };
        bits &= mask;
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            // As chmod(1): a directory keeps its set-id bits unless they are named.
            _ if directory && !self.set_id => mode & !(mask & !SET_ID) | bits,
            _ => mode & !mask | bits,
        }
    }
}
