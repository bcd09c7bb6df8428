//! `kiln build`: what is done in which order. The words are in `flags`, what they mean is in `options`.

mod call;
mod docker;
mod finish;
mod flags;
mod options;
mod platforms;
mod read;
pub mod report;
mod stages;
mod verify;

use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock, PoisonError};

use builder_core::{
    Builder, Error, Kind, Location, Log, Moment, Reference, Rename, Result, Rm, Settings, Shell, Wanted,
};
use dockerfile_frontend::{Build, Built, Failed, execute};

use crate::args::endpoint::refuse;
use crate::args::run_defaults;
use crate::build::{Adapter, Asked, Contexts, FailedCommand, Found, Output, find_all, output};
use crate::cli::Context;
use crate::commands::check_output;
use crate::exit::Exit;
use crate::settings::{self, Environment};
use crate::ui::{self, Talk};
use finish::Image;
use read::Read;

pub use flags::Args;
pub use options::arguments;
pub use platforms::platforms_of;

/// What the builds for all platforms share.
struct Job<'a> {
    context: &'a Context,
    builder: &'a Builder<'a>,
    settings: &'a Settings,
    contexts: &'a Contexts,
    outputs: Vec<Output>,
    /// Whether images of several platforms are built.
    several: bool,
    /// Whether an archive goes to standard output, and so nothing else.
    to_stdout: bool,
    /// Standard input, where commands of the build have nothing in its place.
    stdin: OnceLock<Option<OwnedFd>>,
}

impl Args {
    /// Builds, and prints the image id; of several platforms the ids.
    pub fn run(mut self, context: &Context) -> Result<Exit> {
        self.take_epoch()?;
        if settings::is_buildah() {
            // To Buildah an empty name is none.
            self.tag.retain(|name| !name.is_empty());
        }
        self.refused.check()?;
        self.docker.check()?;
        self.check_names()?;
        run_defaults::heed_limits(&self.run.settings(&context.globals)?.resources, context)?;
        if !self.decryption_key.is_empty() {
            return refuse("decryption-key", "begin with an image that is not encrypted");
        }
        for path in [&self.iidfile, &self.iidfile_raw, &self.metadata_file] {
            check_output(path.as_deref())?;
        }
        let mut outputs: Vec<Output> =
            self.output.iter().map(|text| Output::parse(text)).collect::<Result<_>>()?;
        outputs.extend(self.push.then(output::push));
        let to_stdout = outputs.iter().any(Output::is_stdout);
        let talk = Talk { quiet: self.is_quiet() };
        let settings = Settings {
            blob_cache: self.blob_cache.make()?,
            ..context.entered_to_run(self.wants_network(context)?)?
        };
        let builder = Builder::open(&settings, context.host, &talk)?;
        let fetch = self.registry.fetch(&context.globals);
        let asked = Asked {
            main: &self.context,
            named: &self.build_context,
            dockerfile_elsewhere: self.file.iter().any(|file| file != "-"),
            keep_git_dir: self.keeps_git_dir()?,
        };
        let contexts = Contexts::new(&builder, asked, &fetch)?;
        let file = self.file(&builder, context, &contexts)?;
        let platforms = self.platforms(context, &builder, &contexts, &file)?;
        let several = platforms.len() > 1;
        let (builder, settings, contexts) = (&builder, &settings, &contexts);
        let stdin = OnceLock::new();
        let job = Job { context, builder, settings, contexts, outputs, several, to_stdout, stdin };
        let mut images = Vec::new();
        for wanted in &platforms {
            let read = self.read(builder, contexts, &file, wanted)?;
            if let Some(exit) = self.answer(&read)? {
                return Ok(exit);
            }
            if !self.stdin && job.stdin.get().is_none() {
                let _ = job.stdin.set(close_stdin()?);
            }
            match self.build(&job, &read, wanted)? {
                Ok(image) => images.push(image),
                Err(exit) => return Ok(exit),
            }
        }
        self.list(&job, &images)?;
        for image in &images {
            match to_stdout {
                // What is there is the archive's.
                true => ui::remark(&image.id),
                false if image.told => {}
                false => ui::result(&image.id),
            }
        }
        Ok(Exit::Success)
    }

    /// Sees that the image can be called and labelled so, before anything is built.
    fn check_names(&self) -> Result<()> {
        let mut in_store =
            self.tag.iter().chain(&self.manifest).filter(|name| !Location::has_transport(name));
        in_store.try_for_each(|name| name.parse::<Reference>().map(drop))?;
        self.edits().map(drop)
    }

    /// Builds for one platform and gives the image, or the exit code of the command that failed.
    fn build(&self, job: &Job<'_>, read: &Read, wanted: &Wanted) -> Result<std::result::Result<Image, Exit>> {
        let adapter = self.adapter(job, read, wanted)?;
        for name in self.stages.without_stage(&read.graph) {
            let what = format!("there is no stage `{name}`, so --no-cache-filter {name} does nothing");
            ui::show_warning(&what, None);
        }
        let built = self.execute(&adapter, read, self.jobs);
        let done = built.and_then(|built| self.finish(job, &adapter, &built, wanted));
        let done = match (done, self.verify) {
            (Ok(image), true) => self.verified(job, read, wanted, &adapter, image),
            (done, _) => done,
        };
        if self.summary {
            report::summary(&adapter.talk.rows());
        }
        match done {
            Ok(mut image) => {
                image.told = self.has_id_file() || adapter.talk.takes_result(&image.id);
                if self.rm {
                    adapter.clean(job.builder, None);
                    self.remove_failed(job.builder);
                }
                Ok(Ok(image))
            }
            Err(error) => self.fail(job, &adapter, error),
        }
    }

    /// Performs all steps, and says where one failed.
    fn execute(&self, adapter: &Adapter<'_>, read: &Read, jobs: usize) -> Result<Built> {
        let build = Build {
            dockerfile: &read.parsed.dockerfile,
            source: &read.source,
            graph: &read.graph,
            given: &read.given,
            jobs,
            all: !self.stages.skip_unused_stages,
        };
        execute(build, adapter).map_err(|failed: Failed<Error>| {
            // Others may have failed at the same time.
            let stage = match &failed {
                Failed::Verb { stage, .. } => Some(stage),
                Failed::Words(_) => None,
            };
            let code = adapter.keep_failed(stage.map(|stage| stage.index));
            let step = stage.and_then(|stage| adapter.talk.failed_step(stage)).unwrap_or_default();
            if settings::is_buildah() {
                return report::failure_as_buildah(failed, &read.source, code);
            }
            report::failure(failed, &read.source, &step)
        })
    }

    /// Removes what a build that failed leaves, keeps the container of the command that did if that is wanted, and
    /// gives that command's exit code.
    fn fail(
        &self,
        job: &Job<'_>,
        adapter: &Adapter<'_>,
        error: Error,
    ) -> Result<std::result::Result<Image, Exit>> {
        let failed = adapter.failed.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(FailedCommand { container, code }) = failed else {
            adapter.clean(job.builder, None);
            if error.kind() == Kind::NotStarted {
                // As an OCI runtime says it.
                ui::show_error(&error);
                return Ok(Err(Exit::Child(1)));
            }
            return Err(error);
        };
        let force = self.force_rm.unwrap_or_else(settings::is_buildah);
        let what = self.on_fail.as_deref().unwrap_or(if force { "remove" } else { "keep" });
        if what == "remove" {
            adapter.clean(job.builder, None);
            ui::show_error(&error);
            return Ok(Err(Exit::Child(code)));
        }
        adapter.clean(job.builder, Some(&container));
        self.remove_failed(job.builder);
        let name = self.name_of_failed();
        let name = match (Rename { container: container.clone(), name: name.clone() }).perform(job.builder) {
            Ok(()) => name,
            // Another container has that name.
            Err(_) => container[..12].to_owned(),
        };
        ui::show_error(&error.hint(format!("look at what it left: kiln shell --failed {name}")));
        if what == "shell" {
            // The shell is for whoever started the build.
            if let Some(usual) = job.stdin.get().and_then(Option::as_ref) {
                let cannot = |cause| Error::new(Kind::Io, "cannot read `standard input`").because(cause);
                rustix::stdio::dup2_stdin(usual).map_err(|cause| cannot(std::io::Error::from(cause)))?;
            }
            let terminal = ui::is_terminal();
            let shell = Shell { container, moment: Moment::Failed, terminal, ..Shell::default() };
            shell.perform(job.builder)?;
        }
        Ok(Err(Exit::Child(code)))
    }

    /// What the container of a command that failed is called: one name for each image, so that there is one container.
    fn name_of_failed(&self) -> String {
        let tag = self.tag.first().map(|tag| tag.rsplit('/').next().unwrap_or(tag).to_owned());
        let place = || std::path::absolute(&self.context).ok()?.file_name()?.to_str().map(str::to_owned);
        let base = tag.or_else(place).unwrap_or_default();
        let base = base.split([':', '@']).next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let base: String = base.chars().map(plain).take(60).collect();
        match base.trim_matches('-') {
            "" => "failed-build".to_owned(),
            base => format!("failed-{base}"),
        }
    }

    /// Removes the container that the last failure left, if it is one.
    fn remove_failed(&self, builder: &Builder<'_>) {
        let container = self.name_of_failed();
        let is_failed = Log { container: container.clone() }
            .perform(builder)
            .is_ok_and(|lines| lines.last().is_some_and(|line| line.failed.is_some()));
        if is_failed {
            // One that is being looked into stays.
            let _ = Rm { container }.perform(builder);
        }
    }

    /// The Dockerfile's text, its name, and where it is.
    fn file(&self, builder: &Builder<'_>, context: &Context, contexts: &Contexts) -> Result<Found> {
        if let Some(bytes) = contexts.dockerfile.as_ref().filter(|_| self.file.is_empty()) {
            return Ok((bytes.clone(), "Dockerfile".to_owned(), None));
        }
        let mut flags: Vec<String> = Environment::text("BUILDAH_CPPFLAGS")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        flags.extend(self.cpp_flag.iter().cloned());
        let fetch = self.registry.fetch(&context.globals);
        find_all(&contexts.main, &self.file, &flags, &|address| {
            contexts.dockerfile_of(builder, address, &fetch)
        })
    }

    fn adapter<'a>(&self, job: &Job<'a>, read: &Read, wanted: &Wanted) -> Result<Adapter<'a>> {
        let parallel = self.jobs != 1 && read.graph.needed().len() > 1;
        let mut options = self.options(job.context, wanted.clone())?;
        options.step_images = self.step_images(&options)?;
        Ok(Adapter {
            settings: job.settings.clone(),
            host: job.context.host,
            options,
            contexts: job.contexts,
            ignore: read.ignore.clone(),
            fetch: self.registry.fetch(&job.context.globals),
            access: self.registry.access()?,
            cache: self.cache()?,
            talk: self.talk(job, read.graph.target + 1, parallel, wanted)?,
            made: Mutex::default(),
            failed: Mutex::default(),
            shuffled: Mutex::default(),
        })
    }
}

/// Commands of a build read nothing, unless they are to. Gives standard input as it was, where there is one.
fn close_stdin() -> Result<Option<OwnedFd>> {
    let cannot = |cause| Error::new(Kind::Io, "cannot open `/dev/null`").because(cause);
    let usual = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).ok();
    let null = std::fs::File::open("/dev/null").map_err(cannot)?;
    rustix::stdio::dup2_stdin(&null).map_err(|cause| cannot(cause.into()))?;
    Ok(usual)
}
