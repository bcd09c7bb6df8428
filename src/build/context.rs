//! Build contexts: a directory, a tar or Dockerfile on standard input, an address, a repository, an image.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use builder_core::{Builder, CopyFrom, Error, Fetch, Kind, Result, Scratch, is_remote, unpack_archive};
use dockerfile_frontend::MAX_BYTES;

use super::Found;

/// As much as a context on standard input may have, in bytes.
const MAX_STDIN: u64 = 16 << 30;

/// The contexts of a build.
#[derive(Debug)]
pub struct Contexts {
    /// The one without a name.
    pub main: PathBuf,
    /// A Dockerfile that is the whole context: from standard input or an address.
    pub dockerfile: Option<Vec<u8>>,
    /// Those of `--build-context`, by name.
    pub named: BTreeMap<String, Named>,
    /// Where what was fetched is.
    pub scratch: Scratch,
    /// Whether repositories keep their `.git`.
    keep_git_dir: bool,
}

/// What names the contexts of a build.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The one without a name.
    pub main: &'a str,
    /// Those of `--build-context`.
    pub named: &'a [String],
    /// Whether standard input, if it is the context, is a tar, for the Dockerfile is another file.
    pub dockerfile_elsewhere: bool,
    /// Whether repositories keep their `.git`.
    pub keep_git_dir: bool,
}

/// What begins the address of a repository there without more.
const SHORT: &str = "github.com/";

/// The address that a context's name stands for: itself, or that of a repository for `github.com/USER/REPOSITORY`,
/// unless there is a directory of that name.
fn address(name: &str) -> Cow<'_, str> {
    if !name.starts_with(SHORT) || Path::new(name).exists() {
        return Cow::Borrowed(name);
    }
    let (path, rest) = name.split_at(name.find(['#', '?']).unwrap_or(name.len()));
    let end = if path.ends_with(".git") { "" } else { ".git" };
    Cow::Owned(format!("https://{path}{end}{rest}"))
}

/// What a named context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A directory of the host.
    Directory(PathBuf),
    /// An image, by a name or location that `from` takes.
    Image(String),
}

impl Named {
    /// What a value of `--build-context` names; none if it has to be fetched.
    pub fn here(value: &str) -> Option<Self> {
        for (scheme, location) in [
            ("docker-image://", ""),
            ("container-image://", ""),
            ("docker://", "docker://"),
            ("oci-layout://", "oci:"),
        ] {
            if let Some(rest) = value.strip_prefix(scheme) {
                return Some(Named::Image(format!("{location}{rest}")));
            }
        }
        if is_remote(value) {
            return None;
        }
        let path = PathBuf::from(value.strip_prefix("file://").unwrap_or(value));
        Some(if path.is_dir() { Named::Directory(path) } else { Named::Image(value.to_owned()) })
    }
}

/// The name and the value of `--build-context`.
pub fn name_and_value(text: &str) -> Result<(&str, &str)> {
    text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        Error::invalid(format!("cannot use the build context `{text}`"))
            .because("it has no name")
            .hint("write it as --build-context NAME=DIRECTORY")
    })
}

impl Contexts {
    /// Makes the contexts ready.
    pub fn new(builder: &Builder<'_>, asked: Asked<'_>, fetch: &Fetch) -> Result<Self> {
        let Asked { main, named, dockerfile_elsewhere, keep_git_dir } = asked;
        let main: &str = &address(main);
        let mut contexts = Contexts {
            main: PathBuf::from(main),
            dockerfile: None,
            named: BTreeMap::new(),
            scratch: builder.scratch()?,
            keep_git_dir,
        };
        if main == "-" {
            contexts.main = contexts.take_stdin(dockerfile_elsewhere)?;
        } else if is_remote(main) {
            contexts.main = contexts.take_address(builder, main, fetch)?;
        } else if !contexts.main.is_dir() {
            return Err(Error::new(Kind::NotFound, format!("cannot use the context `{main}`"))
                .because("it is no directory")
                .hint("name a directory, a repository, or `-` for standard input"));
        }
        for (number, text) in named.iter().enumerate() {
            let (name, value) = name_and_value(text)?;
            let one = contexts.name(builder, &address(value), fetch, number)?;
            contexts.named.insert(name.to_owned(), one);
        }
        Ok(contexts)
    }

    fn name(&self, builder: &Builder<'_>, value: &str, fetch: &Fetch, number: usize) -> Result<Named> {
        if let Some(named) = Named::here(value) {
            return Ok(named);
        }
        let dir = self.below(&format!("context-{number}"))?;
        self.unpacked(fetch.perform(builder, value, &dir, self.keep_git_dir)?).map(Named::Directory)
    }

    /// An empty directory among what is unfinished.
    fn below(&self, name: &str) -> Result<PathBuf> {
        let dir = self.scratch.path().join(name);
        std::fs::create_dir(&dir).map_err(|cause| cannot("make", &dir, cause))?;
        Ok(dir)
    }

    fn take_stdin(&mut self, dockerfile_elsewhere: bool) -> Result<PathBuf> {
        let dir = self.below("stdin")?;
        let path = dir.join("context");
        let mut file = std::fs::File::create(&path).map_err(|cause| cannot("make", &path, cause))?;
        let copied = std::io::copy(&mut std::io::stdin().lock().take(MAX_STDIN), &mut file);
        copied.map_err(|cause| cannot("read", Path::new("standard input"), cause))?;
        self.take(path, dockerfile_elsewhere, "standard input")
    }

    fn take_address(&mut self, builder: &Builder<'_>, address: &str, fetch: &Fetch) -> Result<PathBuf> {
        let dir = self.below("main")?;
        let path = fetch.perform(builder, address, &dir, self.keep_git_dir)?;
        if path.is_dir() {
            return Ok(path);
        }
        self.take(path, false, address)
    }

    /// A file as a context: an archive of it, or the Dockerfile alone.
    fn take(&mut self, path: PathBuf, must_be_archive: bool, shown: &str) -> Result<PathBuf> {
        let dir = self.below("unpacked")?;
        if unpack_archive(&path, &dir)? {
            return Ok(dir);
        }
        if must_be_archive {
            return Err(Error::corrupt(format!("cannot use the context of {shown}"))
                .because("it is no archive, and the Dockerfile is another file")
                .hint("tar -c . | kiln build -f DOCKERFILE -"));
        }
        self.dockerfile = Some(std::fs::read(&path).map_err(|cause| cannot("read", &path, cause))?);
        Ok(dir)
    }

    /// A Dockerfile from an address.
    pub fn dockerfile_of(&self, builder: &Builder<'_>, address: &str, fetch: &Fetch) -> Result<Found> {
        let dir = self.below("dockerfile")?;
        let path = fetch.perform(builder, address, &dir, false)?;
        let file = std::fs::File::open(&path).map_err(|cause| cannot("read", &path, cause))?;
        let mut bytes = Vec::new();
        let read = file.take(MAX_BYTES as u64 + 4).read_to_end(&mut bytes);
        read.map_err(|cause| cannot("read", &path, cause))?;
        std::fs::remove_dir_all(&dir).map_err(|cause| cannot("remove", &dir, cause))?;
        Ok((bytes, address.to_owned(), None))
    }

    /// The directory of an archive, or the directory itself.
    fn unpacked(&self, path: PathBuf) -> Result<PathBuf> {
        if path.is_dir() {
            return Ok(path);
        }
        let dir = path.with_extension("unpacked");
        std::fs::create_dir(&dir).map_err(|cause| cannot("make", &dir, cause))?;
        if unpack_archive(&path, &dir)? {
            return Ok(dir);
        }
        Err(Error::corrupt(format!("cannot use the context `{}`", path.display()))
            .because("it is no archive"))
    }

    /// Where `name` says that files come from: a context of that name, else an image.
    pub fn find(&self, name: &str) -> CopyFrom {
        match self.named.get(name) {
            Some(Named::Directory(path)) => CopyFrom::Context(path.clone()),
            Some(Named::Image(image)) => CopyFrom::Other(image.clone()),
            None => CopyFrom::Other(name.to_owned()),
        }
    }
}

/// A failure at a file of the host.
pub fn cannot(verb: &str, path: &Path, cause: std::io::Error) -> Error {
    let kind = match cause.kind() {
        std::io::ErrorKind::NotFound => Kind::NotFound,
        std::io::ErrorKind::PermissionDenied => Kind::Denied,
        _ => Kind::Io,
    };
    Error::new(kind, format!("cannot {verb} `{}`", path.display())).because(cause)
}

#[cfg(test)]
mod tests;
