//! Short names: which images `name` without a host may mean, as Podman resolves it.

use std::collections::BTreeMap;

use crate::error::{Error, Kind, Result};
use crate::name::registries::{Registries, ShortNames};
use crate::name::{Reference, hub};

/// What a name may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meant {
    /// The images, in the order they are tried.
    pub names: Vec<Reference>,
    /// Whether someone is asked which of them it is.
    pub ask: Ask,
    /// The short name of a choice that is remembered: host, tag and digest left out.
    pub short: Option<String>,
}

/// Whether someone is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// There is nothing to ask.
    No,
    /// If someone is there; else all are tried.
    IfPossible,
    /// In any case.
    Must,
}

impl Meant {
    fn one(name: Reference) -> Self {
        Meant { names: vec![name], ask: Ask::No, short: None }
    }

    /// What is meant when nobody can be asked.
    pub fn unasked(self) -> Result<Self> {
        match self.ask {
            Ask::Must => {
                let hosts: Vec<&str> = self.names.iter().map(Reference::host).collect();
                let short = self.short.as_deref().unwrap_or_default();
                Err(Error::invalid(format!("cannot resolve the short name `{short}`"))
                    .because(format!(
                        "it may be on {}, short-name-mode is enforcing, and there is no terminal to ask on",
                        hosts.join(", ")
                    ))
                    .hint(format!("write the whole name: {}", self.names[0].repository())))
            }
            _ => Ok(Meant { ask: Ask::No, short: None, ..self }),
        }
    }

    /// What is meant when the one at `place` was chosen.
    pub fn chosen(mut self, place: usize) -> Self {
        let name = self.names.swap_remove(place.min(self.names.len() - 1));
        Meant { names: vec![name], ask: Ask::No, short: self.short }
    }
}

/// What `text`, typed without a transport, may mean in registries.
pub(crate) fn resolve(text: &str, registries: &Registries) -> Result<Meant> {
    let name: Reference = text.parse()?;
    if Reference::names_host(text) {
        return Ok(Meant::one(name));
    }
    let on = |repository: &str| name.on_repository(repository);
    if let Some(full) = registries.aliases.get(name.path()) {
        return Ok(Meant::one(on(full)?));
    }
    let search = &registries.search;
    if search.is_empty() {
        return Err(Error::new(Kind::NotFound, format!("cannot resolve the short name `{text}`"))
            .because("there is no alias for it, and no registry to search in")
            .hint(format!(
                "write the whole name, HOST/{}, or set unqualified-search-registries in registries.conf",
                name.path()
            )));
    }
    let names =
        search.iter().map(|host| on(&format!("{host}/{}", name.path()))).collect::<Result<Vec<_>>>()?;
    let ask = match registries.mode {
        _ if names.len() == 1 => Ask::No,
        ShortNames::Disabled => Ask::No,
        ShortNames::Permissive => Ask::IfPossible,
        ShortNames::Enforcing => Ask::Must,
    };
    Ok(Meant { names, ask, short: (ask != Ask::No).then(|| name.path().to_owned()) })
}

/// The text of the file of aliases with one more; `text` is what it had. Only the table of aliases is in such a file.
pub(crate) fn with_alias(text: &str, short: &str, full: &str) -> Result<String> {
    #[derive(Default, serde::Deserialize)]
    struct File {
        #[serde(default)]
        aliases: BTreeMap<String, String>,
    }
    let mut file: File = toml::from_str(text).map_err(|cause| {
        Error::corrupt("cannot read the short names that were resolved").because(cause.message().to_owned())
    })?;
    file.aliases.insert(short.to_owned(), full.to_owned());
    // Names have no character that would have to be escaped.
    let lines = file.aliases.iter().map(|(short, full)| format!("  \"{short}\" = \"{full}\"\n"));
    Ok(format!("[aliases]\n{}", lines.collect::<String>()))
}

impl Reference {
    /// Reads a name as it stands after `docker://`: one without host is on Docker's own registry.
    pub fn on_registry(text: &str) -> Result<Self> {
        if Reference::names_host(text) { text.parse() } else { format!("{}/{text}", hub()).parse() }
    }

    /// This tag and digest in the repository `HOST/PATH`.
    pub(crate) fn on_repository(&self, repository: &str) -> Result<Self> {
        let tag = self.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest().map(|digest| format!("@{digest}")).unwrap_or_default();
        format!("{repository}{tag}{digest}").parse()
    }
}
