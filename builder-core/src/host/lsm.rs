//! The kernel's security modules: whether SELinux and AppArmor are active, and which labels a container gets.
//!
//! What is there is read once ([`Modules::look`]); which labels follow from it is plain reckoning on that. Labels are
//! written elsewhere: to files when they are mounted, to a process just before it becomes the command.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Where SELinux's policy says which contexts containers have; the first that exists counts. The second lies below
/// the directory of the active policy.
const CONTEXTS: [&str; 2] = ["usr/share/containers/selinux/contexts", "contexts/lxc_contexts"];

/// Files of the policy are short; what is longer is none.
const MAX_FILE: u64 = 64 * 1024;

/// How many categories there are in every policy for containers: `c0` to `c1023`.
const CATEGORIES: u32 = 1024;

/// What is active.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Modules {
    /// The contexts of containers, where SELinux is active and its policy has them.
    pub selinux: Option<Contexts>,
    /// Where a process writes the AppArmor profile of what it becomes, where that is active.
    pub apparmor: Option<&'static str>,
}

/// What a policy gives to all containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contexts {
    process: Context,
    file: Context,
    /// Whether the policy tells levels apart.
    levels: bool,
}

/// The labels of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    /// The command's; none leaves it in the caller's domain.
    pub process: Option<String>,
    /// Of its files, which no other container can reach.
    pub private: String,
    /// Of files that all containers share.
    pub shared: String,
}

/// `user:role:type[:level]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Context {
    user: String,
    role: String,
    kind: String,
    level: Option<String>,
}

impl Modules {
    /// Those of this machine.
    pub(crate) fn look() -> Self {
        Modules::look_in(Path::new("/"))
    }

    /// Those of a machine whose files are below `root`.
    fn look_in(root: &Path) -> Self {
        let enabled = text(&root.join("sys/module/apparmor/parameters/enabled"));
        let apparmor = enabled.is_some_and(|enabled| enabled.starts_with('Y')).then(|| {
            // Since 5.8 each module has its own directory; before that the files belong to the first.
            match root.join("proc/self/attr/apparmor").is_dir() {
                true => "/proc/thread-self/attr/apparmor/exec",
                false => "/proc/thread-self/attr/exec",
            }
        });
        Modules { selinux: Contexts::look_in(root), apparmor }
    }

    /// A machine with SELinux and these contexts of processes and files, for tests elsewhere.
    #[cfg(test)]
    pub(crate) fn of(process: &str, file: &str) -> Self {
        let context = |text| Context::parse(text).expect("a context");
        let contexts = Contexts { process: context(process), file: context(file), levels: true };
        Modules { selinux: Some(contexts), apparmor: None }
    }

    /// The labels of the container `id` under the words of `--security-opt label=`; none where SELinux is not active.
    pub(crate) fn labels(&self, id: &str, words: &[String]) -> Option<Labels> {
        self.selinux.as_ref().map(|contexts| contexts.labels(id, words))
    }
}

impl Contexts {
    fn look_in(root: &Path) -> Option<Self> {
        // In a container the file system is hidden, or the module says of itself that it is not there.
        let levels = text(&root.join("sys/fs/selinux/mls"))?;
        let config = text(&root.join("etc/selinux/config")).unwrap_or_default();
        let policy = value(&config, "SELINUXTYPE").unwrap_or("targeted");
        let below = root.join("etc/selinux").join(Path::new(policy).file_name()?).join(CONTEXTS[1]);
        let contexts = text(&root.join(CONTEXTS[0])).or_else(|| text(&below))?;
        let context = |key| Context::parse(value(&contexts, key)?);
        Some(Contexts { process: context("process")?, file: context("file")?, levels: levels.trim() == "1" })
    }

    fn labels(&self, id: &str, words: &[String]) -> Labels {
        let (mut process, mut file) = (self.process.clone(), self.file.clone());
        let base = file.level.clone();
        if let Some(level) = base.as_ref().filter(|_| self.levels) {
            let own = format!("{level}:{}", categories(id));
            process.level = Some(own.clone());
            file.level = Some(own);
        }
        let mut enabled = true;
        for word in words {
            match word.split_once(':') {
                Some(("user", user)) => {
                    process.user = user.into();
                    file.user = user.into();
                }
                Some(("role", role)) => process.role = role.into(),
                Some(("type", kind)) => process.kind = kind.into(),
                Some(("filetype", kind)) => file.kind = kind.into(),
                Some(("level", level)) => {
                    process.level = Some(level.into());
                    file.level = Some(level.into());
                }
                _ => enabled &= word != "disable",
            }
        }
        let shared = Context { level: base, ..file.clone() };
        Labels {
            process: enabled.then(|| process.to_string()),
            private: file.to_string(),
            shared: shared.to_string(),
        }
    }
}

impl Context {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':').map(str::to_owned);
        let context =
            Context { user: parts.next()?, role: parts.next()?, kind: parts.next()?, level: parts.next() };
        let whole = ![&context.user, &context.role, &context.kind].into_iter().any(String::is_empty);
        whole.then_some(context)
    }
}

impl std::fmt::Display for Context {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}:{}", self.user, self.role, self.kind)?;
        self.level.iter().try_for_each(|level| write!(out, ":{level}"))
    }
}

/// Refuses to relabel a directory that the whole system lives in: nothing would start any more.
pub(crate) fn refuse_relabeling(path: &Path) -> Result<()> {
    const WHOLE: [&str; 19] = [
        "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/opt", "/proc", "/root",
        "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var",
    ];
    if !WHOLE.iter().any(|whole| path == Path::new(whole)) {
        return Ok(());
    }
    Err(Error::invalid(format!("cannot relabel `{}`", path.display()))
        .because("the system itself has its files there")
        .hint("leave out z and Z, or turn labels off: --security-opt label=disable"))
}

/// Two categories that no other container is likely to have, the lower first: they follow from the id, so that they
/// need not be kept anywhere.
fn categories(id: &str) -> String {
    let digits = id.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let number = digits.unwrap_or_default();
    let first = number % CATEGORIES;
    // One less to choose from: the two differ.
    let second = number / CATEGORIES % (CATEGORIES - 1);
    let second = second + u32::from(second >= first);
    format!("c{},c{}", first.min(second), first.max(second))
}

/// The value of a line `key = "value"`, with or without the quotes.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let values =
        text.lines().filter_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='));
    values.map(|value| value.trim().trim_matches('"')).find(|value| !value.is_empty())
}

fn text(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests;
