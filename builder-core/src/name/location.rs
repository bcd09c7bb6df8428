//! Locations: an image somewhere, `transport:rest`, as Skopeo and Buildah write them.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::name::{DaemonImage, Reference};
use crate::oci::Digest;

/// Where an image is or shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// `oci:DIRECTORY[:NAME]`: an OCI image layout.
    Oci {
        /// The layout's directory.
        dir: PathBuf,
        /// Which image in it.
        pick: Pick,
    },
    /// `oci-archive:FILE[:NAME]`: an OCI image layout in a tar.
    OciArchive {
        /// The tar.
        path: PathBuf,
        /// Which image in it.
        pick: Pick,
    },
    /// `docker-archive:FILE[:NAME[:TAG]|@INDEX]`: what `docker save` writes.
    DockerArchive {
        /// The tar.
        path: PathBuf,
        /// Which image in it.
        pick: Pick,
    },
    /// `dir:DIRECTORY`: a manifest and its blobs as plain files.
    Dir(PathBuf),
    /// `docker://HOST/PATH[:TAG|@DIGEST]`: a registry.
    Registry(Reference),
    /// `docker-daemon:NAME[:TAG]`: an image of a Docker daemon.
    Daemon(DaemonImage),
    /// A name in the store.
    Store(Reference),
    /// `containers-storage:[[DRIVER@]DIRECTORY[+RUNROOT][:OPTIONS]]NAME|@ID`: the storage that Podman and others of a
    /// machine share.
    ContainersStorage {
        /// Which one; the machine's, unless given.
        storage: Option<StorageSpec>,
        /// The image, by name or, after `@`, by id.
        image: String,
    },
}

/// Which storage a location names, in brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageSpec {
    /// Its driver: `overlay` or `vfs`.
    pub driver: Option<String>,
    /// Its directory.
    pub root: Option<PathBuf>,
    /// Where its programs keep what need not survive a reboot.
    pub run: Option<PathBuf>,
    /// Options of the driver. None changes what is read or written.
    pub options: Vec<String>,
}

/// Which of the images in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Pick {
    /// The only one.
    #[default]
    Only,
    /// The one that is called so there.
    Name(String),
    /// `@sha256:…`: the one whose manifest has this digest.
    Digest(Digest),
    /// `@0`, `@1` …: the one at this place in the list.
    Index(usize),
}

impl Pick {
    /// As it is written after the path, without the colon of a name.
    #[must_use]
    pub fn as_written(&self) -> String {
        match self {
            Pick::Only => String::new(),
            Pick::Name(name) => name.clone(),
            Pick::Digest(digest) => format!("@{digest}"),
            Pick::Index(place) => format!("@{place}"),
        }
    }
}

/// Transports of the field that Kiln does not have, and what to do instead.
const OTHERS: [(&str, &str); 5] = [
    ("ostree", "use an OCI layout: oci:DIRECTORY:NAME"),
    ("sif", "use an OCI layout: oci:DIRECTORY:NAME"),
    ("tarball", "start a container with `kiln from scratch`, and put the tar into it with `kiln add`"),
    ("atomic", "name the registry itself: docker://HOST/NAME"),
    ("containers-image", "use an OCI layout: oci:DIRECTORY:NAME"),
];

/// The transports Kiln has.
const OURS: [&str; 7] =
    ["oci", "oci-archive", "docker-archive", "docker-daemon", "dir", "docker", "containers-storage"];

impl Location {
    /// Whether `text` starts with a transport, as `oci:` does.
    #[must_use]
    pub fn has_transport(text: &str) -> bool {
        text.split_once(':').is_some_and(|(head, rest)| {
            let known = OURS.contains(&head) || OTHERS.iter().any(|(name, _)| *name == head);
            // `docker:27` is an image called docker; only with `//` is it the transport.
            known && (head != "docker" || rest.starts_with("//"))
        })
    }

    /// Reads a location with a transport, or a plain name for the store.
    pub fn parse(text: &str) -> Result<Self> {
        if !Location::has_transport(text) {
            return Ok(Location::Store(text.parse()?));
        }
        let (head, rest) = text.split_once(':').unwrap_or((text, ""));
        match head {
            "oci" => split(text, rest, "oci:DIRECTORY:NAME").map(|(dir, pick)| Location::Oci { dir, pick }),
            "oci-archive" => split(text, rest, "oci-archive:FILE:NAME")
                .map(|(path, pick)| Location::OciArchive { path, pick }),
            "docker-archive" => parse_docker_archive(text, rest),
            "dir" if rest.is_empty() => Err(refused(text, "it names no directory", "dir:DIRECTORY")),
            "dir" => Ok(Location::Dir(rest.into())),
            "docker" => {
                let name = rest.strip_prefix("//").unwrap_or(rest);
                if !Reference::names_host(name) {
                    return Err(refused(text, "it names no registry", "docker://HOST/NAME:TAG"));
                }
                Ok(Location::Registry(name.parse()?))
            }
            "docker-daemon" if rest.is_empty() => {
                Err(refused(text, "it names no image", "docker-daemon:NAME:TAG"))
            }
            "docker-daemon" => DaemonImage::parse(rest).map(Location::Daemon),
            "containers-storage" => parse_storage(text, rest),
            other => {
                let hint = OTHERS.iter().find(|(name, _)| *name == other).map_or("", |(_, hint)| hint);
                Err(Error::new(Kind::Unsupported, format!("cannot use `{text}`"))
                    .because(format!("there is no `{other}:` transport here"))
                    .hint(hint))
            }
        }
    }
}

fn refused(text: &str, why: &str, form: &str) -> Error {
    Error::invalid(format!("cannot use `{text}`")).because(why.to_owned()).hint(format!("write {form}"))
}

/// `PATH`, `PATH:NAME`, `PATH@sha256:…`, `PATH@INDEX` or `PATH:@INDEX`.
fn split(text: &str, rest: &str, form: &str) -> Result<(PathBuf, Pick)> {
    if let Some((path, pick)) = parse_at(text, rest, form)? {
        return Ok((path, pick));
    }
    let (path, name) = match rest.split_once(':') {
        Some((path, name)) => (path, Some(name)),
        None => (rest, None),
    };
    if path.is_empty() {
        let what = if form.contains("FILE") { "it names no file" } else { "it names no directory" };
        return Err(refused(text, what, form));
    }
    // The grammar of `org.opencontainers.image.ref.name` in the OCI image specification.
    let fits = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._:@+/".contains(&c))
    };
    match name {
        Some("") | None => Ok((path.into(), Pick::Only)),
        Some(name) if fits(name) => Ok((path.into(), Pick::Name(name.into()))),
        Some(_) => Err(refused(text, "the name has a character that OCI layouts do not allow", form)),
    }
}

/// What follows the last `@`, where that is a digest or a number.
fn parse_at(text: &str, rest: &str, form: &str) -> Result<Option<(PathBuf, Pick)>> {
    let Some((path, after)) = rest.rsplit_once('@') else { return Ok(None) };
    let pick = if after.starts_with("sha256:") {
        Pick::Digest(after.parse()?)
    } else if !after.is_empty() && after.bytes().all(|c| c.is_ascii_digit()) {
        let place = after.parse().map_err(|_| refused(text, "the number is too large", form))?;
        Pick::Index(place)
    } else {
        return Ok(None);
    };
    if path.is_empty() {
        return Err(refused(text, "it names no file", form));
    }
    // Others write `FILE:@INDEX`.
    let path = path.strip_suffix(':').filter(|_| matches!(pick, Pick::Index(_))).unwrap_or(path);
    Ok((!path.contains(':')).then(|| (path.into(), pick)))
}

fn parse_docker_archive(text: &str, rest: &str) -> Result<Location> {
    const FORM: &str = "docker-archive:FILE:NAME:TAG";
    if let Some((path, pick)) = parse_at(text, rest, FORM)? {
        return Ok(Location::DockerArchive { path, pick });
    }
    let (path, name) = match rest.split_once(':') {
        Some((path, name)) => (path, Some(name)),
        None => (rest, None),
    };
    if path.is_empty() {
        return Err(refused(text, "it names no file", FORM));
    }
    let pick = match name.filter(|name| !name.is_empty()) {
        None => Pick::Only,
        Some(name) => {
            // Checked as any image name is; the archive has it as it is written.
            let parsed: Reference = name.parse()?;
            if parsed.digest().is_some() {
                return Err(refused(text, "an archive has names and tags, no digests", FORM));
            }
            Pick::Name(name.to_owned())
        }
    };
    Ok(Location::DockerArchive { path: path.into(), pick })
}

fn parse_storage(text: &str, rest: &str) -> Result<Location> {
    const FORM: &str = "containers-storage:[overlay@DIRECTORY+RUNROOT]NAME";
    let (storage, image) = match rest.strip_prefix('[') {
        None => (None, rest),
        Some(rest) => {
            let (spec, image) =
                rest.split_once(']').ok_or_else(|| refused(text, "a `]` is missing", FORM))?;
            (Some(parse_spec(text, spec, FORM)?), image)
        }
    };
    // What has an id after a name is meant by the id.
    let image = match image.rsplit_once('@') {
        Some((_, id)) if is_id(id) => format!("@{id}"),
        Some(("", _)) => return Err(refused(text, "what follows the `@` is no id", FORM)),
        _ if image.is_empty() => return Err(refused(text, "it names no image", FORM)),
        _ => {
            image.parse::<Reference>()?;
            image.to_owned()
        }
    };
    Ok(Location::ContainersStorage { storage, image })
}

/// Whether a text may be the beginning of an image id.
fn is_id(text: &str) -> bool {
    (3..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `[DRIVER@]DIRECTORY[+RUNROOT][:OPTION,OPTION]`, without the brackets.
fn parse_spec(text: &str, spec: &str, form: &str) -> Result<StorageSpec> {
    let (driver, rest) = match spec.split_once('@') {
        Some((driver, rest)) => (Some(driver.to_owned()), rest),
        None => (None, spec),
    };
    let (places, options) = rest.split_once(':').unwrap_or((rest, ""));
    let (root, run) = match places.split_once('+') {
        Some((root, run)) => (root, Some(PathBuf::from(run))),
        None => (places, None),
    };
    if root.is_empty() && driver.as_deref().is_none_or(str::is_empty) {
        return Err(refused(text, "there is nothing in the brackets", form));
    }
    if !root.is_empty() && !root.starts_with('/') {
        return Err(refused(text, "the directory is no absolute path", form));
    }
    Ok(StorageSpec {
        driver: driver.filter(|driver| !driver.is_empty()),
        root: (!root.is_empty()).then(|| PathBuf::from(root)),
        run,
        options: options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect(),
    })
}

impl fmt::Display for StorageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        if let Some(driver) = &self.driver {
            write!(f, "{driver}@")?;
        }
        if let Some(root) = &self.root {
            write!(f, "{}", root.display())?;
        }
        if let Some(run) = &self.run {
            write!(f, "+{}", run.display())?;
        }
        if !self.options.is_empty() {
            write!(f, ":{}", self.options.join(","))?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, path, pick) = match self {
            Location::Oci { dir, pick } => ("oci", dir, pick),
            Location::OciArchive { path, pick } => ("oci-archive", path, pick),
            Location::DockerArchive { path, pick } => ("docker-archive", path, pick),
            Location::Dir(path) => ("dir", path, &Pick::Only),
            Location::Registry(name) => return write!(f, "docker://{name}"),
            Location::Daemon(image) => return write!(f, "docker-daemon:{image}"),
            Location::Store(name) => return name.fmt(f),
            Location::ContainersStorage { storage, image } => {
                f.write_str("containers-storage:")?;
                storage.iter().try_for_each(|storage| storage.fmt(f))?;
                return f.write_str(image);
            }
        };
        write!(f, "{transport}:{}", path.display())?;
        match pick {
            Pick::Only => Ok(()),
            Pick::Name(name) => write!(f, ":{name}"),
            pick => f.write_str(&pick.as_written()),
        }
    }
}
