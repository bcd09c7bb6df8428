//! Short names: which images `name` without a host may mean, as Podman resolves it.

use crate::error::{Error, Kind, Result};
use crate::name::registries::{Registries, ShortNames};
use crate::name::{Reference, hub};

/// What a name may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meant {
    /// The images, in the order they are tried.
    pub names: Vec<Reference>,
    /// Whether more than one is tried because nobody can be asked.
    pub guessed: bool,
}

/// What `text`, typed without a transport, may mean in registries.
pub(crate) fn resolve(text: &str, registries: &Registries) -> Result<Meant> {
    let name: Reference = text.parse()?;
    if Reference::names_host(text) {
        return Ok(Meant { names: vec![name], guessed: false });
    }
    let on = |repository: &str| name.on_repository(repository);
    if registries.mode != ShortNames::Disabled
        && let Some(full) = registries.aliases.get(name.path())
    {
        return Ok(Meant { names: vec![on(full)?], guessed: false });
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
    if search.len() > 1 && registries.mode == ShortNames::Enforcing {
        return Err(Error::invalid(format!("cannot resolve the short name `{text}`"))
            .because(format!("it may be on {}, and short-name-mode is enforcing", search.join(", ")))
            .hint(format!("write the whole name: {}/{}", search[0], name.path())));
    }
    let names =
        search.iter().map(|host| on(&format!("{host}/{}", name.path()))).collect::<Result<Vec<_>>>()?;
    let guessed = names.len() > 1;
    Ok(Meant { names, guessed })
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
