//! Names of containers: `names/<name>` says which container has it, so that a lookup reads one file.

use std::fs;

use crate::error::{Context, Error, Kind, Result};
use crate::store::containers::read_record;
use crate::store::{ContainerRecord, Store};

/// The longest container name.
const MAX_NAME: usize = 200;

/// Whether `name` can be a container's: letters, digits, `_`, `.`, `-`, the first one a letter or digit.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c));
    if fits {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(Error::invalid(format!("cannot name a container `{shown}`"))
        .because(
            "a name has up to 200 letters, digits, `_`, `.` and `-`, the first of them a letter or digit",
        )
        .hint("choose one such as builder-1"))
}

impl Store {
    /// The container that has this name. A pointer that its container does not confirm says nothing.
    pub(super) fn named(&self, name: &str) -> Option<ContainerRecord> {
        check_name(name).ok()?;
        let id = fs::read_to_string(self.root.join("names").join(name)).ok()?;
        read_record(&self.container_dir(&id)).ok().filter(|record| record.name == name)
    }

    /// Writes the name down. The caller holds `locks/containers` alone.
    pub(super) fn claim_name(&self, name: &str, id: &str) -> Result<()> {
        let path = self.root.join("names").join(name);
        super::durable::write_lazily(&path, id.as_bytes())
    }

    /// Takes the name away, if it still is this container's. The caller holds `locks/containers` alone.
    pub(super) fn release_name(&self, name: &str, id: &str) -> Result<()> {
        let path = self.root.join("names").join(name);
        match fs::read_to_string(&path) {
            Ok(holder) if holder == id => fs::remove_file(&path).cannot("remove the name", name),
            _ => Ok(()),
        }
    }

    /// `wanted` if it is free; else, if a suffix may be added, `wanted-1`, `wanted-2` and so on.
    pub fn free_name(&self, wanted: &str, exact: bool) -> Result<String> {
        check_name(wanted)?;
        if self.named(wanted).is_none() {
            return Ok(wanted.to_owned());
        }
        if exact {
            return Err(Error::new(Kind::Exists, format!("cannot name a container `{wanted}`"))
                .because("another container has that name")
                .hint(format!("remove that one with `kiln rm {wanted}`, or choose another name")));
        }
        (1..)
            .map(|number: u64| format!("{wanted}-{number}"))
            .find(|name| self.named(name).is_none())
            .ok_or_else(|| {
                Error::new(Kind::Exists, format!("cannot make a container named after `{wanted}`"))
            })
    }
}
