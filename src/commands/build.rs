//! `kiln build`.

mod flags;
pub mod report;

use std::collections::BTreeMap;
use std::sync::Mutex;

use builder_core::{
    Builder, Commit, Config, ConfigEdit, Error, Existing, Kind, ManifestCreate, Result, Settings, Tag, Wanted,
};
use dockerfile_frontend::{Build, Built, Given, Graph, Parsed, Severity, Source, execute, lint, parse, scan};

use crate::build::{Adapter, Contexts, Found, find, ignore_lines};
use crate::cli::Context;
use crate::commands::write_file;
use crate::exit::Exit;
use crate::ui::{self, Talk};

pub use flags::{Args, arguments, platforms_of};

/// A Dockerfile that was read and found right.
struct Read {
    source: Source,
    parsed: Parsed,
    graph: Graph,
    given: Given,
    ignore: Vec<String>,
    /// How many warnings there are, and whether they are errors.
    warnings: (usize, bool),
}

impl Args {
    /// Builds, and prints the image id; of several platforms the ids.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: self.quiet };
        let platforms = self.platforms()?;
        let settings = context.entered()?;
        let builder = Builder::open(&settings, context.host, &talk)?;
        let elsewhere = self.file.as_deref().is_some_and(|file| file != "-");
        let fetch = self.registry.fetch(&context.globals);
        let contexts = Contexts::new(&builder, &self.context, &self.build_context, &fetch, elsewhere)?;
        let file = self.file(&contexts)?;
        let mut images = Vec::new();
        for wanted in platforms {
            let read = self.read(&contexts, &file, &wanted)?;
            if let Some(exit) = self.answer(&read)? {
                return Ok(exit);
            }
            if !self.stdin {
                close_stdin()?;
            }
            let adapter = self.adapter(context, settings.clone(), &contexts, &read, wanted)?;
            match self.build(&builder, &adapter, &read) {
                Ok(Ok(image)) => images.push(image),
                Ok(Err(exit)) => return Ok(exit),
                Err(error) => return Err(error),
            }
        }
        if let Some(name) = self.manifest.clone() {
            let existing = Existing::Amend;
            ManifestCreate { name, images: images.clone(), existing, ..ManifestCreate::default() }
                .perform(&builder)?;
        }
        images.iter().for_each(ui::result);
        Ok(Exit::Success)
    }

    /// Builds for one platform and gives the image id, or the exit code of the command that failed.
    fn build(
        &self,
        builder: &Builder<'_>,
        adapter: &Adapter<'_>,
        read: &Read,
    ) -> Result<std::result::Result<String, Exit>> {
        let build = Build {
            dockerfile: &read.parsed.dockerfile,
            source: &read.source,
            graph: &read.graph,
            given: &read.given,
            jobs: self.jobs,
        };
        let built = execute(build, adapter);
        let done = built.map_err(|failed| report::failure(failed, &read.source));
        let done = done.and_then(|built| self.finish(builder, adapter, &built));
        if self.rm || done.is_err() {
            adapter.clean(builder);
        }
        let code = *adapter.exit.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match (done, code) {
            (Ok(image), _) => Ok(Ok(image)),
            (Err(error), Some(code)) => {
                ui::show_error(&error);
                Ok(Err(Exit::Child(code)))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// The Dockerfile's text, its name, and where it is.
    fn file(&self, contexts: &Contexts) -> Result<Found> {
        match &contexts.dockerfile {
            Some(bytes) if self.file.is_none() => Ok((bytes.clone(), "Dockerfile".to_owned(), None)),
            _ => find(&contexts.main, self.file.as_deref()),
        }
    }

    /// Reads the Dockerfile and all that belongs to it, and shows what is wrong or hardly meant.
    fn read(&self, contexts: &Contexts, (bytes, name, path): &Found, wanted: &Wanted) -> Result<Read> {
        let source = match Source::new(name.as_str(), bytes) {
            Ok(source) => source,
            Err(fault) => return Err(report::faults(name, &[fault])),
        };
        let parsed = parse(&source);
        let wrong = || parsed.diagnostics.iter().filter(|fault| fault.severity == Severity::Error);
        if parsed.has_errors() {
            let all: Vec<_> = wrong().cloned().collect();
            return Err(report::faults(name, &all));
        }
        let given = self.given(wanted)?;
        let graph = Graph::new(&parsed.dockerfile, &source, &given, self.target.as_deref())
            .map_err(|faults| report::faults(name, &faults))?;
        let ignore = ignore_lines(&contexts.main, path.as_deref(), self.ignorefile.as_deref())?;
        let mut read = Read { source, parsed, graph, given, ignore, warnings: (0, false) };
        read.warnings = self.warn(&read)?;
        Ok(read)
    }

    /// Shows warnings and says how many there are, and whether they are errors.
    fn warn(&self, read: &Read) -> Result<(usize, bool)> {
        let dockerfile = &read.parsed.dockerfile;
        let asked = dockerfile.directives.check.as_ref().map_or("", |check| check.value.as_str());
        let checks = lint::Checks::parse(asked).map_err(|because| {
            Error::invalid("cannot use the directive `check`")
                .because(because)
                .hint("# check=skip=JSONArgsRecommended;error=true")
        })?;
        let ignored = builder_core::Ignored::new(&read.ignore)?;
        let statements = scan(&read.source).statements;
        let found = lint::lint(&read.source, &statements, dockerfile, &read.given, &checks, &|path| {
            ignored.leaves_out(path)
        });
        let parsed = read.parsed.diagnostics.iter().filter(|fault| checks.keeps(fault));
        let all: Vec<_> = parsed.chain(&found).chain(&read.graph.warnings).collect();
        let is_asked = self.check || self.call.as_deref() == Some("check");
        if is_asked || (!self.quiet && self.call.is_none()) {
            all.iter().take(report::MAX_SHOWN).for_each(ui::remark);
        }
        let mut declared: Vec<&str> = read.given.platform.keys().map(String::as_str).collect();
        for instruction in &dockerfile.instructions {
            if let dockerfile_frontend::ast::Body::Arg(arg) = &instruction.body {
                declared.extend(arg.arguments.iter().map(|argument| argument.name.as_str()));
            }
        }
        let unused = dockerfile_frontend::unused(&read.given, &declared);
        if !unused.is_empty() && !self.quiet {
            ui::remark(format_args!(
                "warning: one or more build args were not consumed: [{}]",
                unused.join(" ")
            ));
        }
        Ok((all.len(), checks.error))
    }

    /// Answers `--check` and `--call`, which build nothing; and refuses to build where warnings are errors.
    fn answer(&self, read: &Read) -> Result<Option<Exit>> {
        let (warnings, are_errors) = read.warnings;
        let call = if self.check { Some("check") } else { self.call.as_deref() };
        match call {
            Some("outline") => report::outline(&read.parsed.dockerfile, &read.graph),
            Some("targets") => report::targets(&read.graph),
            Some("check") if warnings == 0 => ui::result("Check complete, no warnings found."),
            Some("check") => {
                let plural = if warnings == 1 { "" } else { "s" };
                ui::result(format_args!("Check complete, {warnings} warning{plural} found."));
                return Ok(Some(Exit::Broken));
            }
            _ if are_errors && warnings > 0 => {
                return Err(Error::invalid("cannot build with warnings")
                    .because(format!("there are {warnings}, and the file says `check=error=true`"))
                    .hint("mend what they are about, or skip them: # check=skip=NAMES"));
            }
            _ => return Ok(None),
        }
        Ok(Some(Exit::Success))
    }

    fn adapter<'a>(
        &self,
        context: &Context,
        settings: Settings,
        contexts: &'a Contexts,
        read: &Read,
        wanted: Wanted,
    ) -> Result<Adapter<'a>> {
        let parallel = self.jobs != 1 && read.graph.needed().len() > 1;
        Ok(Adapter {
            settings,
            host: context.host,
            options: self.options(parallel, wanted, &context.globals)?,
            contexts,
            ignore: read.ignore.clone(),
            fetch: self.registry.fetch(&context.globals),
            access: self.registry.access()?,
            made: Mutex::default(),
            exit: Mutex::default(),
        })
    }

    /// Makes the image of the container, names it, and tells its id.
    fn finish(&self, builder: &Builder<'_>, adapter: &Adapter<'_>, built: &Built) -> Result<String> {
        let edits = self.edits()?;
        if !edits.is_empty() {
            let container = built.container.clone();
            Config { container, edits, history: Vec::new() }.perform(builder)?;
        }
        let mut names = self.tag.iter();
        let first = names.next();
        if !self.quiet {
            let shown = first.map(|name| format!(" {name}")).unwrap_or_default();
            ui::remark(format_args!("COMMIT{shown}"));
        }
        let commit = Commit {
            container: built.container.clone(),
            image: first.cloned(),
            format: Some(self.format()?),
            squash: self.squash,
            times: adapter.options.times,
            created: adapter.options.created,
            omit_empty: adapter.options.layers,
            omit_history: self.omit_history,
            omit_created_annotation: self.created_annotation == Some(false),
            ..Commit::default()
        };
        let made = commit.perform(builder)?;
        let id = made.id.hex();
        let more: Vec<String> = names.cloned().collect();
        if !more.is_empty() {
            Tag { image: id.clone(), names: more }.perform(builder)?;
        }
        if !self.quiet {
            made.name.iter().for_each(|name| ui::remark(format_args!("Successfully tagged {name}")));
        }
        for target in &self.output {
            report::export(builder, target, &id)?;
        }
        self.write_ids(&made)?;
        Ok(id)
    }

    fn write_ids(&self, made: &builder_core::Committed) -> Result<()> {
        if let Some(path) = &self.iidfile {
            write_file(path, &made.id.to_string())?;
        }
        if let Some(path) = &self.iidfile_raw {
            write_file(path, &made.id.hex())?;
        }
        if let Some(path) = &self.metadata_file {
            let mut fields = BTreeMap::from([
                ("containerimage.config.digest", made.id.to_string()),
                ("containerimage.digest", made.manifest.to_string()),
            ]);
            fields.extend(made.name.clone().map(|name| ("image.name", name)));
            write_file(path, &serde_json::to_string_pretty(&fields).expect("plain data"))?;
        }
        Ok(())
    }

    /// What the image says beyond what its file says.
    fn edits(&self) -> Result<Vec<ConfigEdit>> {
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        let mut edits = Vec::new();
        for (name, value) in self.env_pairs() {
            edits.push(ConfigEdit::Env(name, value));
        }
        edits.extend(self.unsetenv.iter().cloned().map(ConfigEdit::UnsetEnv));
        if self.identity_label {
            edits.push(ConfigEdit::Label("io.buildah.version".into(), super::version::BUILDAH.into()));
        }
        edits.extend(self.unsetannotation.iter().cloned().map(ConfigEdit::UnsetAnnotation));
        edits.extend(self.unsetlabel.iter().cloned().map(ConfigEdit::UnsetLabel));
        for label in &self.label {
            let (name, value) = pair(label);
            edits.push(ConfigEdit::Label(name, value));
        }
        for annotation in &self.annotation {
            let (name, value) = pair(annotation);
            edits.push(ConfigEdit::Annotation(name, value));
        }
        match edits.iter().any(|edit| matches!(edit, ConfigEdit::Label(name, _) if name.is_empty())) {
            true => Err(Error::invalid("cannot use a label without a name").hint("--label NAME=VALUE")),
            false => Ok(edits),
        }
    }
}

/// Commands of a build read nothing, unless they are to.
fn close_stdin() -> Result<()> {
    let cannot = |cause| Error::new(Kind::Io, "cannot open `/dev/null`").because(cause);
    let null = std::fs::File::open("/dev/null").map_err(cannot)?;
    rustix::stdio::dup2_stdin(&null).map_err(|cause| cannot(cause.into()))
}
