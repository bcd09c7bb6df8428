//! `COPY` and `ADD` as verbs.

use std::collections::BTreeMap;

use super::Lowering;
use crate::ast::{self, CopySource};
use crate::lexer::Heredoc;
use crate::verbs::{Copy, Origin};
use crate::words::{WordError, Words};

impl Lowering<'_> {
    pub(super) fn copy(&self, copy: &ast::Copy) -> Result<Copy, WordError> {
        let (sources, inline) = self.sources(&copy.sources)?;
        Ok(Copy {
            origin: self.origin(copy.from.as_deref()),
            sources,
            inline,
            destination: self.word(&copy.destination)?,
            chown: self.optional(copy.chown.as_deref())?,
            chmod: self.optional(copy.chmod.as_deref())?,
            link: copy.link,
            parents: copy.parents,
            exclude: copy.exclude.iter().map(|text| self.word(text)).collect::<Result<_, _>>()?,
            ..Copy::default()
        })
    }

    pub(super) fn add(&self, add: &ast::Add) -> Result<Copy, WordError> {
        let (sources, inline) = self.sources(&add.sources)?;
        Ok(Copy {
            add: true,
            sources,
            inline,
            destination: self.word(&add.destination)?,
            chown: self.optional(add.chown.as_deref())?,
            chmod: self.optional(add.chmod.as_deref())?,
            link: add.link,
            exclude: add.exclude.iter().map(|text| self.word(text)).collect::<Result<_, _>>()?,
            checksum: self.optional(add.checksum.as_deref())?,
            keep_git_dir: add.keep_git_dir.unwrap_or(false),
            unpack: add.unpack,
            ..Copy::default()
        })
    }

    /// Where `--from` says that files come from.
    pub(super) fn origin(&self, from: Option<&str>) -> Origin {
        match from {
            None => Origin::Context,
            Some(name) => match self.containers.get(name) {
                Some(container) => Origin::Container(container.clone()),
                None => Origin::Named(name.to_owned()),
            },
        }
    }

    fn sources(&self, sources: &[CopySource]) -> Result<(Vec<String>, BTreeMap<String, String>), WordError> {
        let (mut paths, mut inline) = (Vec::new(), BTreeMap::new());
        for source in sources {
            match source {
                CopySource::Path(path) => paths.push(self.word(path)?),
                CopySource::Heredoc(heredoc) => {
                    inline.insert(heredoc.name.clone(), self.heredoc(heredoc)?);
                }
            }
        }
        Ok((paths, inline))
    }

    fn heredoc(&self, heredoc: &Heredoc) -> Result<String, WordError> {
        let text = heredoc.text();
        if !heredoc.expand {
            return Ok(text);
        }
        Words::heredoc().expand(&text, &self.scope).map(|expansion| expansion.text)
    }
}
