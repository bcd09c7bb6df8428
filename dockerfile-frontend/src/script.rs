//! A Dockerfile as a shell script over the verbs: the same steps, written down in place of being performed.
//!
//! What bases say of themselves is asked of whoever has them; what stages say, since nothing is performed, is worked
//! out from the edits.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use crate::ast::{NetworkMode, Security};
use crate::execute::Built;
use crate::lower::field;
use crate::verbs::{Base, Begun, Copy, Edit, Origin, Run, StageName, Step, Verb, Verbs};

/// Where things are for the script.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The ignore file, if it is not the context's own.
    pub ignorefile: Option<String>,
    /// Whether every step that may change files is a layer.
    pub layers: bool,
    /// Build contexts with a name.
    pub named: BTreeMap<String, Named>,
}

/// What a build context with a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A directory.
    Directory(String),
    /// An image.
    Image(String),
}

impl Places {
    /// The image that `name` is, in the words of a build context or its own.
    fn image<'n>(&'n self, name: &'n str) -> &'n str {
        match self.named.get(name) {
            Some(Named::Image(image)) => image,
            _ => name,
        }
    }

    /// The directory that `name` is.
    fn directory(&self, name: &str) -> Option<&str> {
        match self.named.get(name) {
            Some(Named::Directory(dir)) => Some(dir),
            _ => None,
        }
    }
}

/// Knows what an image's config has, by the image's name and platform.
pub type Look<'s, E> = dyn Fn(&str, Option<&str>) -> Result<Begun, E> + Sync + 's;

/// Writes what is performed.
pub struct Script<'s, E> {
    places: Places,
    look: &'s Look<'s, E>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    text: String,
    /// What the container of each stage says of itself by now.
    begun: BTreeMap<String, Begun>,
    /// How many files were written beside the context.
    files: usize,
}

impl<'s, E: Send> Script<'s, E> {
    /// An empty script; `look` knows images by name and platform.
    pub fn new(places: Places, look: &'s Look<'s, E>) -> Self {
        Script { places, look, state: Mutex::default() }
    }

    /// The whole script, of which the stage that was built last becomes the image.
    pub fn finish(self, built: &Built) -> String {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        // A stage without instructions adds nothing to what it stands on.
        let omit = if self.places.layers || built.last.is_none() { " --omit-empty-layer" } else { "" };
        let containers: Vec<String> = state.begun.keys().map(|name| format!("\"${name}\"")).collect();
        let container = &built.container;
        format!(
            "{HEAD}{}\nkiln commit -q --layers{omit} \"${container}\" ${{2:+\"$2\"}}\nkiln rm {} >/dev/null\n",
            state.text,
            containers.join(" ")
        )
    }
}

/// How every script begins.
const HEAD: &str = "#!/bin/sh\n# usage: script [CONTEXT [IMAGE]]\nset -eu\ncontext=${1:-.}\n\
                    scratch=$(mktemp -d)\ntrap 'rm -rf \"$scratch\"' EXIT\nmkdir \"$scratch/empty\"\n";

impl<E: Send> Verbs for Script<'_, E> {
    type Error = E;

    fn begin(&self, stage: &StageName, base: &Base) -> Result<Begun, E> {
        let container = format!("c{}", stage.index);
        let mut begun = match base {
            Base::Scratch => Begun::default(),
            Base::Image { name, platform } => (self.look)(self.places.image(name), platform.as_deref())?,
            Base::Container(other) => {
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.begun.get(other).cloned().unwrap_or_default()
            }
        };
        begun.container.clone_from(&container);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let name = stage.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        let _ = writeln!(state.text, "\n# stage {}{name}: {}", stage.index, stage.text);
        let from = match base {
            Base::Scratch => "scratch".to_owned(),
            Base::Image { name, platform } => {
                let platform = platform.as_ref().map(|text| format!("--platform {} ", quote(text)));
                format!("{}{}", platform.unwrap_or_default(), quote(self.places.image(name)))
            }
            Base::Container(other) => format!("\"${other}\""),
        };
        let verb = if matches!(base, Base::Container(_)) { "fork" } else { "from -q --cached" };
        let _ = writeln!(state.text, "{container}=$(kiln {verb} {from})");
        if !begun.env.iter().any(|(name, _)| name == "PATH") {
            begun.env.insert(0, ("PATH".to_owned(), DEFAULT_PATH.to_owned()));
            let _ = writeln!(state.text, "kiln config --env PATH={DEFAULT_PATH} \"${container}\"");
        }
        state.begun.insert(container, begun.clone());
        Ok(begun)
    }

    fn perform(&self, container: &str, step: &Step) -> Result<String, E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(state.text, "# {}", step.text);
        let changes = || step.verbs.iter().any(|verb| !matches!(verb, Verb::Config(_)));
        let own = if self.places.layers { changes() } else { step.last };
        let mut said = false;
        for verb in &step.verbs {
            match verb {
                Verb::Run(run) => state.run(container, run, &self.places),
                Verb::Copy(copy) => {
                    state.copy(container, copy, &self.places, own);
                    said = true;
                }
                Verb::MakeDirectory { path, owner } => {
                    let path = quote(&format!("{path}/"));
                    let owner = match owner.as_str() {
                        "" => String::new(),
                        owner => format!("--chown {} ", quote(owner)),
                    };
                    let _ = writeln!(
                        state.text,
                        "kiln copy -q {owner}--chmod 755 --timestamp \"${{SOURCE_DATE_EPOCH:-0}}\" \
                         --contextdir \"$scratch/empty\" \"${container}\" . {path}"
                    );
                }
                Verb::Config(edits) => state.config(container, edits),
            }
        }
        if !said && !step.history.is_empty() {
            let flag = if own { "--created-by" } else { "--history" };
            let line = quote(&step.history);
            let _ = writeln!(state.text, "kiln config {flag} {line} \"${container}\"");
        }
        Ok(container.to_owned())
    }
}

/// What `PATH` is where an image has none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl State {
    fn run(&mut self, container: &str, run: &Run, places: &Places) {
        let mut line = "kiln run --terminal=false".to_owned();
        for (name, value) in &run.env {
            let _ = write!(line, " --env {}", quote(&format!("{name}={value}")));
        }
        for (mount, origin) in &run.mounts {
            let from = match origin {
                Origin::Context => String::new(),
                Origin::Named(name) if places.directory(name).is_some() => {
                    let directory = places.directory(name).unwrap_or_default();
                    quote(&format!(",{}", field(&format!("contextdir={directory}"))))
                }
                Origin::Named(name) => {
                    self.pull(places.image(name));
                    quote(&format!(",from={}", places.image(name)))
                }
                Origin::Container(other) => format!(",from=\"${other}\""),
            };
            let _ = write!(line, " --mount {}{from}", quote(mount));
        }
        if run.mounts.iter().any(|(_, origin)| *origin == Origin::Context) {
            line.push_str(" --contextdir \"$context\"");
        }
        match run.network {
            Some(NetworkMode::None) => line.push_str(" --network none"),
            Some(NetworkMode::Host) => line.push_str(" --network host"),
            _ => {}
        }
        if let Some(name) = &run.hostname {
            let _ = write!(line, " --hostname {}", quote(name));
        }
        for (device, _) in run.devices.iter().filter(|(_, required)| *required) {
            let _ = write!(line, " --device {}", quote(device));
        }
        if run.security == Some(Security::Insecure) {
            line.push_str(" --cap-add all --security-opt seccomp=unconfined --security-opt unmask=ALL");
        }
        let mut args: Vec<String> = run.args.iter().map(|word| quote(word)).collect();
        if let Some(script) = &run.script {
            let file = self.file(script);
            let _ = writeln!(self.text, "chmod 755 {file}");
            let _ = write!(line, " --volume {file}:/dev/pipes/script:ro");
            args = vec!["/dev/pipes/script".to_owned()];
        }
        let _ = writeln!(self.text, "{line} \"${container}\" -- {} </dev/null", args.join(" "));
    }

    /// Has an image that files are taken of in the store.
    fn pull(&mut self, image: &str) {
        let _ = writeln!(self.text, "kiln pull -q --policy missing {} >/dev/null", quote(image));
    }

    /// Writes a file among the script's own and gives its place, quoted.
    fn file(&mut self, text: &str) -> String {
        self.files += 1;
        let place = format!("\"$scratch/{}\"", self.files);
        let _ = writeln!(self.text, "printf %s {} >{place}", quote(text));
        place
    }

    fn copy(&mut self, container: &str, copy: &Copy, places: &Places, own: bool) {
        let mut line = if copy.add { "kiln add -q" } else { "kiln copy -q" }.to_owned();
        line.push_str(if own { " --created-by" } else { " --add-history" });
        let values = [("chown", &copy.chown), ("chmod", &copy.chmod), ("checksum", &copy.checksum)];
        for (name, value) in values {
            if let Some(value) = value {
                let _ = write!(line, " --{name} {}", quote(value));
            }
        }
        let flags = [("link", copy.link), ("parents", copy.parents), ("keep-git-dir", copy.keep_git_dir)];
        for (name, _) in flags.iter().filter(|(_, set)| *set) {
            let _ = write!(line, " --{name}");
        }
        if let Some(unpack) = copy.unpack {
            let _ = write!(line, " --unpack={unpack}");
        }
        for pattern in &copy.exclude {
            let _ = write!(line, " --exclude-below {}", quote(pattern));
        }
        let destination = quote(&copy.destination);
        if !copy.inline.is_empty() {
            self.files += 1;
            let dir = format!("$scratch/{}", self.files);
            let _ = writeln!(self.text, "mkdir \"{dir}\"");
            let mut names = String::new();
            for (name, text) in &copy.inline {
                let place = format!("\"{dir}\"/{}", quote(name));
                let _ = writeln!(self.text, "printf %s {} >{place}; chmod 644 {place}", quote(text));
                let _ = write!(names, " {}", quote(name));
            }
            let mut line = line.replacen("kiln add", "kiln copy", 1);
            if !copy.sources.is_empty() {
                // The line of the files that follow is that of both.
                line = line.replacen(if own { " --created-by" } else { " --add-history" }, "", 1);
            }
            let flags = "--allow-wildcard=false --contextdir";
            let _ = writeln!(self.text, "{line} {flags} \"{dir}\" \"${container}\"{names} {destination}");
        }
        if copy.sources.is_empty() {
            return;
        }
        match &copy.origin {
            Origin::Context => {
                line.push_str(" --contextdir \"$context\"");
                if let Some(file) = &places.ignorefile {
                    let _ = write!(line, " --ignorefile {}", quote(file));
                }
            }
            Origin::Named(name) => match places.directory(name) {
                Some(dir) => {
                    let _ = write!(line, " --contextdir {}", quote(dir));
                }
                None => {
                    self.pull(places.image(name));
                    let _ = write!(line, " --from {}", quote(places.image(name)));
                }
            },
            Origin::Container(other) => {
                let _ = write!(line, " --from \"${other}\"");
            }
        }
        let sources: Vec<String> = copy.sources.iter().map(|source| quote(source)).collect();
        let _ = writeln!(self.text, "{line} \"${container}\" {} {destination}", sources.join(" "));
    }

    fn config(&mut self, container: &str, edits: &[Edit]) {
        let mut line = "kiln config".to_owned();
        for edit in edits {
            let _ = write!(line, " {}", flag(edit));
            if let Some(begun) = self.begun.get_mut(container) {
                note(begun, edit);
            }
        }
        let _ = writeln!(self.text, "{line} \"${container}\"");
    }
}

/// What a stage on this one begins with.
fn note(begun: &mut Begun, edit: &Edit) {
    match edit {
        Edit::Env(name, value) => match begun.env.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.clone_from(value),
            None => begun.env.push((name.clone(), value.clone())),
        },
        Edit::Workdir(path) => begun.workdir.clone_from(path),
        Edit::User(user) => begun.user.clone_from(user),
        Edit::Shell(words) => begun.shell.clone_from(words),
        Edit::OnBuild(text) => begun.on_build.push(text.clone()),
        Edit::ClearOnBuild => begun.on_build.clear(),
        _ => {}
    }
}

/// The flag of `kiln config` that does it: `--set`, which takes the edit as JSON and changes nothing of it.
fn flag(edit: &Edit) -> String {
    let list = |words: &Option<Vec<String>>| serde_json::json!(words);
    let value = match edit {
        Edit::Env(name, value) => serde_json::json!({"env": [name, value]}),
        Edit::Label(name, value) => serde_json::json!({"label": [name, value]}),
        Edit::Cmd(words) => serde_json::json!({"cmd": list(words)}),
        Edit::Entrypoint(words) => serde_json::json!({"entrypoint": list(words)}),
        Edit::Port(port) => serde_json::json!({"port": port}),
        Edit::Volume(path) => serde_json::json!({"volume": path}),
        Edit::User(user) => serde_json::json!({"user": user}),
        Edit::Workdir(path) => serde_json::json!({"working-dir": path}),
        Edit::StopSignal(signal) => serde_json::json!({"stop-signal": signal}),
        Edit::Shell(words) => serde_json::json!({"shell": words}),
        Edit::OnBuild(text) => serde_json::json!({"on-build": text}),
        Edit::ClearOnBuild => serde_json::json!("clear-on-build"),
        Edit::Author(author) => serde_json::json!({"author": author}),
        Edit::Healthcheck(check) => serde_json::json!({"healthcheck": {
            "Test": check.test, "Interval": check.interval, "Timeout": check.timeout,
            "StartPeriod": check.start_period, "StartInterval": check.start_interval, "Retries": check.retries,
        }}),
    };
    format!("--set {}", quote(&value.to_string()))
}

/// A word as a shell takes it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
