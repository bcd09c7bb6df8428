//! Which file is the Dockerfile, and which says what is left out of the context.

use std::io::Read;
use std::path::{Path, PathBuf};

use builder_core::{Error, Kind, Result, is_git, is_remote};
use dockerfile_frontend::MAX_BYTES;

use super::context::cannot;
use super::preprocess;

/// What is looked for in a context.
const NAMES: [&str; 2] = ["Containerfile", "Dockerfile"];

/// As much as an ignore file may have, in bytes.
const MAX_IGNORE: u64 = 4 << 20;

/// The Dockerfile's text, what messages call it, and where it is if it is a file.
pub type Found = (Vec<u8>, String, Option<PathBuf>);

/// Fetches a Dockerfile from an address.
pub type Fetched<'f> = dyn Fn(&str) -> Result<Found> + 'f;

/// Reads the Dockerfile: the one named, from here or from the context, `-` for standard input; else the usual ones.
pub fn find(context: &Path, named: Option<&str>) -> Result<Found> {
    let Some(named) = named else {
        for name in NAMES {
            let path = context.join(name);
            if path.is_file() {
                refuse_to_leave(context, &path)?;
                return Ok((read(&path)?, name.to_owned(), Some(path)));
            }
        }
        return Err(Error::new(
            Kind::NotFound,
            format!("cannot find a Dockerfile in `{}`", context.display()),
        )
        .because("there is neither `Containerfile` nor `Dockerfile`")
        .hint("name the file: kiln build -f FILE DIRECTORY"));
    };
    if named == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MAX_BYTES as u64 + 4).read_to_end(&mut bytes);
        read.map_err(|cause| cannot("read", Path::new("standard input"), cause))?;
        return Ok((bytes, "standard input".to_owned(), None));
    }
    let here = PathBuf::from(named);
    let path = if here.is_file() { here } else { context.join(named) };
    let path = if path.is_dir() { path.join(NAMES[1]) } else { path };
    Ok((read(&path)?, named.to_owned(), Some(path)))
}

/// Reads the Dockerfiles that are named, one after the other, from here, from the context or from addresses.
pub fn find_all(
    context: &Path,
    named: &[String],
    cpp_flags: &[String],
    fetch: &Fetched<'_>,
) -> Result<Found> {
    let (mut text, mut names, mut first) = (Vec::new(), Vec::new(), None);
    let all: Vec<Option<&str>> = match named {
        [] => vec![None],
        named => named.iter().map(|name| Some(name.as_str())).collect(),
    };
    for one in all {
        let (mut bytes, name, path) = match one {
            Some(address) if is_remote(address) && !is_git(address) => fetch(address)?,
            one => find(context, one)?,
        };
        if let Some(path) = path.as_deref().filter(|path| preprocess::is_source(path)) {
            bytes = preprocess::preprocess(path, &bytes, cpp_flags)?;
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.append(&mut bytes);
        names.push(name);
        first = first.or(path);
    }
    Ok((text, names.join(" + "), first))
}

/// A symlink that leads out of a context, which may be anyone's, is no Dockerfile of it.
fn refuse_to_leave(context: &Path, path: &Path) -> Result<()> {
    let inside =
        std::fs::canonicalize(context).and_then(|top| Ok(std::fs::canonicalize(path)?.starts_with(top)));
    if inside.map_err(|cause| cannot("read", path, cause))? {
        return Ok(());
    }
    Err(Error::new(Kind::Denied, format!("cannot use `{}`", path.display()))
        .because("it is a symlink that leads out of the context")
        .hint(format!("name it, if it is meant: kiln build -f {}", path.display())))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|cause| cannot("read", path, cause))?;
    file.take(MAX_BYTES as u64 + 4).read_to_end(&mut bytes).map_err(|cause| cannot("read", path, cause))?;
    Ok(bytes)
}

/// The lines of the ignore file: the one named, the Dockerfile's own, or the context's.
pub fn ignore_lines(context: &Path, dockerfile: Option<&Path>, named: Option<&Path>) -> Result<Vec<String>> {
    match named {
        Some(named) => lines(named),
        None => ignore_file(context, dockerfile)?.map_or(Ok(Vec::new()), |path| lines(&path)),
    }
}

/// The ignore file of the Dockerfile, or of the context.
pub fn ignore_file(context: &Path, dockerfile: Option<&Path>) -> Result<Option<PathBuf>> {
    let beside = dockerfile.into_iter().flat_map(|file| {
        [".containerignore", ".dockerignore"].map(|end| {
            let mut name = file.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        })
    });
    let own = [".containerignore", ".dockerignore"].map(|name| context.join(name));
    let found = beside.chain(own).find(|path| path.is_file());
    if let Some(path) = found.as_deref().filter(|path| path.starts_with(context)) {
        refuse_to_leave(context, path)?;
    }
    Ok(found)
}

fn lines(path: &Path) -> Result<Vec<String>> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|cause| cannot("read", path, cause))?;
    file.take(MAX_IGNORE).read_to_string(&mut text).map_err(|cause| cannot("read", path, cause))?;
    Ok(text.lines().map(str::to_owned).collect())
}
