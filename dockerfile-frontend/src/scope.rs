//! Which variables there are: arguments before the first `FROM`, those of a stage, and the environment.
//!
//! Source of the rules: the Dockerfile reference, "Scope" and "Predefined ARGs".

use std::collections::BTreeMap;

use crate::ast::Argument;
use crate::words::{Variables, WordError, Words};

/// Arguments that need no `ARG` and are not in the history.
const PREDEFINED: &[&str] = &[
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Arguments that are about the build and not for its file: no `ARG` takes them, and none is missing.
const ABOUT_THE_BUILD: &[&str] = &[
    "BUILDKIT_CACHE_MOUNT_NS",
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
    "BUILDKIT_DOCKERFILE_CHECK",
    "BUILDKIT_SANDBOX_HOSTNAME",
    "BUILDKIT_SYNTAX",
    "SOURCE_DATE_EPOCH",
];

/// What the user gives, and what the platforms are.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--build-arg`, by name.
    pub arguments: BTreeMap<String, String>,
    /// `TARGETPLATFORM` and the others that are always there in the global scope.
    pub platform: BTreeMap<String, String>,
}

/// The scope before the first `FROM`.
#[derive(Debug, Clone)]
pub struct Global<'g> {
    given: &'g Given,
    values: BTreeMap<String, String>,
}

impl<'g> Global<'g> {
    /// Only what is always there.
    #[must_use]
    pub fn new(given: &'g Given) -> Self {
        Global { given, values: given.platform.clone() }
    }

    /// Declares an argument: the user's value, else the default.
    pub fn declare(&mut self, words: Words, argument: &Argument) -> Result<(), WordError> {
        let value = match (self.given.arguments.get(&argument.name), &argument.default) {
            (Some(value), _) => Some(value.clone()),
            (None, Some(default)) => Some(words.expand(default, &self.values)?.text),
            (None, None) => None,
        };
        if let Some(value) = value {
            self.values.insert(argument.name.clone(), value);
        }
        Ok(())
    }

    /// What `FROM` expands with.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.values
    }
}

/// The scope of a stage.
#[derive(Debug, Clone)]
pub struct Scope<'g> {
    global: &'g Global<'g>,
    /// Declared arguments with a value.
    arguments: BTreeMap<String, String>,
    /// In order; a name is there once.
    env: Vec<(String, String)>,
}

impl Variables for Scope<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        let in_env = self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        in_env.or_else(|| self.arguments.get(name).map(String::as_str))
    }
}

impl<'g> Scope<'g> {
    /// A stage's scope: the environment of its base.
    #[must_use]
    pub fn new(global: &'g Global<'g>, env: Vec<(String, String)>) -> Self {
        Scope { global, arguments: BTreeMap::new(), env }
    }

    /// A stage's scope that stands on another stage: also the arguments which that has declared.
    #[must_use]
    pub fn on_stage(self, arguments: BTreeMap<String, String>) -> Self {
        Scope { arguments, ..self }
    }

    /// Declares arguments: the user's value, else the default, else that of the global scope. All defaults see the
    /// variables as they were before the instruction.
    pub fn declare(&mut self, words: Words, arguments: &[Argument]) -> Result<(), WordError> {
        let mut declared = Vec::new();
        for argument in arguments {
            let name = &argument.name;
            let value = match (self.global.given.arguments.get(name), &argument.default) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(default)) => Some(words.expand(default, self)?.text),
                (None, None) => self.global.values.get(name).cloned(),
            };
            declared.extend(value.map(|value| (name.clone(), value)));
        }
        self.arguments.extend(declared);
        Ok(())
    }

    /// The declared arguments that have a value, by name.
    #[must_use]
    pub fn into_arguments(self) -> BTreeMap<String, String> {
        self.arguments
    }

    /// Sets a variable of the environment.
    pub fn set_env(&mut self, name: &str, value: &str) {
        match self.env.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.env.push((name.to_owned(), value.to_owned())),
        }
    }

    /// An argument that is about the build itself, if the user gave it and it is not empty.
    #[must_use]
    pub fn about_the_build(&self, name: &str) -> Option<&str> {
        self.global.given.arguments.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What a command sees besides the environment: declared arguments, and predefined ones the user gave.
    #[must_use]
    pub fn run_env(&self) -> Vec<(String, String)> {
        let predefined = PREDEFINED.iter().filter_map(|name| {
            self.global.given.arguments.get(*name).map(|value| ((*name).to_owned(), value.clone()))
        });
        let declared = self.arguments.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut all: BTreeMap<String, String> = predefined.collect();
        all.extend(declared);
        all.into_iter().filter(|(name, _)| !self.env.iter().any(|(known, _)| known == name)).collect()
    }
}

/// The arguments the user gives that nothing in `declared` takes.
#[must_use]
pub fn unused<'g>(given: &'g Given, declared: &[&str]) -> Vec<&'g str> {
    let known =
        |name: &str| [declared, PREDEFINED, ABOUT_THE_BUILD].iter().any(|names| names.contains(&name));
    given.arguments.keys().map(String::as_str).filter(|name| !known(name)).collect()
}
