//! `COPY` and `ADD`.

use serde::Serialize;

use crate::lexer::Heredoc;

/// Where one source of a copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CopySource {
    /// A path or pattern; for `ADD` also a URL.
    Path(String),
    /// A file made of what the Dockerfile itself holds, named after the heredoc.
    Heredoc(Heredoc),
}

/// `COPY`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// At least one.
    pub sources: Vec<CopySource>,
    /// A file, or with a slash at its end a directory.
    pub destination: String,
    /// `--from`: a stage, a build context or an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `--chown`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chown: Option<String>,
    /// `--chmod`: octal, or symbolic as chmod takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chmod: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude`, any number
    pub exclude: Vec<String>,
}

/// `ADD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Add {
    /// At least one.
    pub sources: Vec<CopySource>,
    /// A file, or with a slash at its end a directory.
    pub destination: String,
    /// `--chown`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chown: Option<String>,
    /// `--chmod`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chmod: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--exclude`, any number
    pub exclude: Vec<String>,
    /// `--checksum`: what the one remote source must hash to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// `--keep-git-dir`, where it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_git_dir: Option<bool>,
    /// `--unpack`, where it is said: by default local archives are unpacked and remote ones not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpack: Option<bool>,
}
