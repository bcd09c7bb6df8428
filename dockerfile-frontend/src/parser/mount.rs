//! `RUN --mount=…`: its options, and the mount they make once variables are known.

use super::Line;
use super::csv::fields;
use super::size;
use crate::ast::{Mount, MountKind, MountOption, MountText, Sharing};

/// Every name an option has, and the one it is kept by.
const NAMES: [(&str, &str); 19] = [
    ("type", "type"),
    ("from", "from"),
    ("source", "source"),
    ("src", "source"),
    ("target", "target"),
    ("dst", "target"),
    ("destination", "target"),
    ("readonly", "readonly"),
    ("ro", "readonly"),
    ("readwrite", "readwrite"),
    ("rw", "readwrite"),
    ("required", "required"),
    ("size", "size"),
    ("id", "id"),
    ("sharing", "sharing"),
    ("mode", "mode"),
    ("uid", "uid"),
    ("gid", "gid"),
    ("env", "env"),
];

/// Options that may be a word alone.
const SWITCHES: [&str; 3] = ["readonly", "readwrite", "required"];

const KINDS: [(&str, MountKind); 5] = [
    ("bind", MountKind::Bind),
    ("cache", MountKind::Cache),
    ("tmpfs", MountKind::Tmpfs),
    ("secret", MountKind::Secret),
    ("ssh", MountKind::Ssh),
];

const SHARINGS: [(&str, Sharing); 3] =
    [("shared", Sharing::Shared), ("private", Sharing::Private), ("locked", Sharing::Locked)];

/// Reads one `--mount`, and where it has no variables checks what it says.
pub(super) fn parse(line: &mut Line, text: &str) -> Option<MountText> {
    let fields = match fields(text) {
        Ok(fields) => fields,
        Err(message) => {
            line.wrong(text, format!("`--mount={text}`: {message}"), "options separated by commas");
            return None;
        }
    };
    let mut options = Vec::with_capacity(fields.len());
    for field in &fields {
        let (name, value) = field.split_once('=').map_or((field.as_str(), None), |(n, v)| (n, Some(v)));
        let lower = name.to_ascii_lowercase();
        let Some(&(_, name)) = NAMES.iter().find(|(known, _)| *known == lower) else {
            let names = NAMES.map(|(known, _)| known);
            let message = format!("a mount has no option `{name}`");
            line.faults.error(line.statement.span, Some(field), message).nearest(name, &names, str::to_owned);
            return None;
        };
        if value.is_none() && !SWITCHES.contains(&name) {
            line.wrong(field, format!("the mount option `{name}` has no value"), &format!("`{name}=…`"));
            return None;
        }
        if name == "from" && value.is_some_and(|value| value.contains('$')) {
            let message = "variables are not expanded in a mount's `from`";
            let added = line.faults.error(line.statement.span, Some(field), message);
            added.hint("name a stage with `FROM $IMAGE AS name` and mount from that");
            return None;
        }
        options.push(MountOption { name: name.to_owned(), value: value.map(str::to_owned) });
    }
    let mount = MountText { text: text.to_owned(), options };
    let has_variables =
        mount.options.iter().filter_map(|option| option.value.as_ref()).any(|v| v.contains('$'));
    if !has_variables && let Err(message) = mount.resolve(|value| Ok(value.to_owned())) {
        line.wrong(text, message, "");
        return None;
    }
    Some(mount)
}

impl MountText {
    /// The mount, its values expanded by `expand`. What is wrong is said in one sentence.
    pub fn resolve(&self, expand: impl Fn(&str) -> Result<String, String>) -> Result<Mount, String> {
        let mut mount = Mount::default();
        let (mut writable, mut sharing) = (None, None);
        for option in &self.options {
            let value = option.value.as_deref().map(&expand).transpose()?;
            let text = value.clone().unwrap_or_default();
            let bad = || format!("the mount option `{}` cannot be `{text}`", option.name);
            let switch = || value.as_deref().map_or(Some(true), boolean).ok_or_else(bad);
            let number = |radix| u32::from_str_radix(&text, radix).map(Some).map_err(|_| bad());
            let filled = || Some(text.clone()).filter(|text| !text.is_empty());
            match option.name.as_str() {
                "type" => mount.kind = choice(&KINDS, &text).ok_or_else(|| one_of(bad(), &KINDS))?,
                "sharing" => {
                    sharing = Some(choice(&SHARINGS, &text).ok_or_else(|| one_of(bad(), &SHARINGS))?);
                }
                "from" => mount.from = filled(),
                "source" => mount.source = filled(),
                "target" => mount.target = filled(),
                "id" => mount.id = filled(),
                "env" => mount.env = filled(),
                "readonly" => writable = Some(!switch()?),
                "readwrite" => writable = Some(switch()?),
                "required" => mount.required = switch()?,
                "size" => mount.size = Some(size::bytes(&text).ok_or_else(bad)?),
                "mode" => mount.mode = number(8)?,
                "uid" => mount.uid = number(10)?,
                _ => mount.gid = number(10)?,
            }
        }
        mount.sharing = sharing.unwrap_or_default();
        mount.readonly = !writable.unwrap_or(matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs));
        self.check(&mount)?;
        Ok(mount)
    }

    /// Refuses options that this kind of mount does not have.
    fn check(&self, mount: &Mount) -> Result<(), String> {
        use MountKind as K;
        let kind = KINDS.iter().find(|(_, kind)| *kind == mount.kind).map_or("", |(word, _)| word);
        for option in &self.options {
            let known = match option.name.as_str() {
                "mode" | "uid" | "gid" => matches!(mount.kind, K::Secret | K::Ssh | K::Cache),
                "required" => matches!(mount.kind, K::Secret | K::Ssh),
                "size" => mount.kind == K::Tmpfs,
                "sharing" => mount.kind == K::Cache,
                "env" => mount.kind == K::Secret,
                "from" => mount.kind != K::Secret || mount.from.is_none(),
                _ => true,
            };
            if !known {
                return Err(format!("a mount of type `{kind}` has no option `{}`", option.name));
            }
        }
        match mount.kind {
            K::Secret if mount.source.is_some() && mount.id.is_some() => {
                Err("a secret has either a `source` or an `id`".to_owned())
            }
            K::Secret if mount.source.is_none() && mount.target.is_none() && mount.id.is_none() => {
                Err("a secret needs an `id` or a `target`".to_owned())
            }
            K::Bind | K::Cache | K::Tmpfs if mount.target.is_none() => {
                Err(format!("a mount of type `{kind}` needs a `target`"))
            }
            _ => Ok(()),
        }
    }
}

fn choice<T: Copy>(known: &[(&str, T)], text: &str) -> Option<T> {
    known.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

/// A complaint with all that could stand there.
fn one_of<T>(complaint: String, known: &[(&str, T)]) -> String {
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    format!("{complaint}, only one of {}", words.join(", "))
}

/// The words for yes and no that Go's flags take.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
