//! From the containers of a build to images: their names, the files that tell of them, and where else they go.

use std::collections::BTreeMap;

use builder_core::{
    Builder, Commit, Committed, ConfigEdit, Descriptor, Error, Existing, Index, Kind, Layers, Location,
    ManifestCreate, Push, Reference, Result, Tag, Wanted, images,
};
use dockerfile_frontend::Built;

use super::{Args, Job};
use crate::build::output::Made;
use crate::build::{Adapter, MadeStage, Options};
use crate::commands::{metadata, write_file};
use crate::settings;

/// An image that was built.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Whether that was told already.
    pub told: bool,
}

impl Args {
    /// Makes the image of the container, names it, and puts it wherever else it is to be.
    pub(super) fn finish(
        &self,
        job: &Job<'_>,
        adapter: &Adapter<'_>,
        built: &Built,
        wanted: &Wanted,
    ) -> Result<Image> {
        let builder = job.builder;
        let labels = self.save_stages(job, adapter, built)?;
        // Of several platforms the list gets the names.
        let mut names = if job.several { [].iter() } else { self.tag.iter() };
        let first = names.next();
        adapter.talk.committing(first.map(String::as_str));
        let mut commit = self.commit_of(adapter, built)?;
        commit.image = first.cloned();
        commit.edits.splice(0..0, labels);
        let made = commit.perform(builder)?;
        let id = made.id.hex();
        if let Some(first) =
            first.filter(|name| Location::has_transport(name) && !names.as_slice().is_empty())
        {
            return Err(Error::invalid(format!("cannot give an image more names than `{first}`"))
                .because("it is not in the store")
                .hint("name the place last, or use --output"));
        }
        let mut more = Vec::new();
        for name in names {
            more.extend(self.name(job, &id, name)?);
        }
        let told = Some(id.as_str()).filter(|_| !self.has_id_file());
        adapter.talk.committed(told, made.name.as_deref().into_iter().chain(more.iter().map(String::as_str)));
        for output in &job.outputs {
            let made = Made {
                image: &id,
                name: made.name.as_deref(),
                time: adapter.options.created,
                platform: job.several.then_some(wanted),
            };
            output.perform(builder, made, self.layers_elsewhere(), &self.registry)?;
        }
        let names: Vec<&str> = made.name.iter().chain(&more).map(String::as_str).collect();
        self.write_ids(job, &made, &names)?;
        Ok(Image { id, told: false })
    }

    /// How images of single steps are made: as Buildah makes them, which caches by them, only where it is called for.
    pub(super) fn step_images(&self, options: &Options) -> Result<Option<Commit>> {
        let wanted = settings::is_buildah() && options.layers && !self.verify;
        wanted.then(|| self.commit(options)).transpose()
    }

    /// The commit of a stage, without a name.
    pub(super) fn commit_of(&self, adapter: &Adapter<'_>, built: &Built) -> Result<Commit> {
        // A stage without instructions adds nothing to what it stands on.
        let omit_empty = adapter.options.layers || built.last.is_none();
        Ok(Commit { container: built.container.clone(), omit_empty, ..self.commit(&adapter.options)? })
    }

    /// Any commit of a build that goes so.
    fn commit(&self, options: &Options) -> Result<Commit> {
        Ok(Commit {
            format: Some(self.format()?),
            squash: self.squash,
            layers: true,
            edits: self.edits()?,
            times: options.times,
            created: options.created,
            omit_empty: options.layers,
            omit_history: self.omit_history,
            omit_created_annotation: self.created_annotation == Some(false),
            compression: self.compression.chosen(),
            level: self.compression.level()?,
            force_compression: self.compression.force_compression,
            access: self.registry.access()?,
            ..Commit::default()
        })
    }

    /// Makes images of the other stages, if they are kept; gives the labels of the last.
    fn save_stages(&self, job: &Job<'_>, adapter: &Adapter<'_>, built: &Built) -> Result<Vec<ConfigEdit>> {
        if !self.stages.save_stages {
            return Ok(Vec::new());
        }
        let mut stages = adapter.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        // A stage is begun after the one it stands on.
        let last = stages.iter().position(|stage| stage.container == built.container);
        let last = last.map(|place| stages.remove(place));
        let mut images: BTreeMap<String, String> = BTreeMap::new();
        for stage in stages {
            let mut commit = self.commit_of(adapter, built)?;
            commit.container = stage.container.clone();
            commit.edits = self.stage_labels(&stage, &images);
            commit.edits.extend(self.stages.layer_labels()?);
            images.insert(stage.container, commit.perform(job.builder)?.id.hex());
        }
        Ok(last.map(|stage| self.stage_labels(&stage, &images)).unwrap_or_default())
    }

    /// The labels that tell of a stage; `images` has those of the stages before, by container.
    fn stage_labels(&self, stage: &MadeStage, images: &BTreeMap<String, String>) -> Vec<ConfigEdit> {
        if !self.stages.stage_labels {
            return Vec::new();
        }
        let base = images.get(&stage.base).unwrap_or(&stage.base);
        let pairs = [("io.buildah.stage.name", &stage.name), ("io.buildah.stage.base", base)];
        pairs.map(|(name, value)| ConfigEdit::Label(name.to_owned(), value.clone())).to_vec()
    }

    /// One more name for the image, in the store or elsewhere; gives the whole name it has in the store.
    fn name(&self, job: &Job<'_>, image: &str, name: &str) -> Result<Option<String>> {
        if !Location::has_transport(name) {
            Tag { image: image.to_owned(), names: vec![name.to_owned()] }.perform(job.builder)?;
            return name.parse::<Reference>().map(|name| Some(name.to_string()));
        }
        let push = Push {
            image: image.to_owned(),
            target: Some(name.to_owned()),
            layers: self.layers_elsewhere(),
            level: self.compression.level()?,
            access: self.registry.access()?,
            ..Push::default()
        };
        push.perform(job.builder).map(|_| None)
    }

    /// The form of layers outside the store, unless an output says another.
    pub(super) fn layers_elsewhere(&self) -> Layers {
        match self.compression.asked() {
            None => Layers::Preferred,
            Some(builder_core::Compression::None) => Layers::Kept,
            Some(form) => Layers::Form(form, self.compression.force_compression),
        }
    }

    /// Makes a list of the images of several platforms, and gives it the names.
    pub(super) fn list(&self, job: &Job<'_>, images: &[Image]) -> Result<()> {
        let ids: Vec<String> = images.iter().map(|image| image.id.clone()).collect();
        let make = |name: &String, existing| {
            let list = ManifestCreate {
                name: name.clone(),
                images: ids.clone(),
                existing,
                ..ManifestCreate::default()
            };
            list.perform(job.builder).map(drop)
        };
        if let Some(name) = &self.manifest {
            make(name, Existing::Amend)?;
        }
        if !job.several {
            return Ok(());
        }
        self.tag.iter().try_for_each(|name| make(name, Existing::Replace))?;
        let names: Vec<&String> = self.manifest.iter().chain(&self.tag).collect();
        let (Some(path), Some(first)) = (&self.metadata_file, names.first()) else { return Ok(()) };
        let names = names.iter().map(|name| name.parse::<Reference>().map(|name| name.to_string()));
        let names: Vec<String> = names.collect::<Result<_>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let list = find_list(job.builder, first)?;
        write_file(path, &metadata(None, &list, &names))
    }

    /// Whether the id goes to a file, and nowhere else then, as Buildah has it.
    pub(super) fn has_id_file(&self) -> bool {
        self.iidfile.is_some() || self.iidfile_raw.is_some()
    }

    /// Writes the files that tell of the image; of several platforms' images their list has one.
    fn write_ids(&self, job: &Job<'_>, made: &Committed, names: &[&str]) -> Result<()> {
        if let Some(path) = &self.iidfile {
            write_file(path, &made.id.to_string())?;
        }
        if let Some(path) = &self.iidfile_raw {
            write_file(path, &made.id.hex())?;
        }
        if let Some(path) = self.metadata_file.as_ref().filter(|_| !job.several) {
            write_file(path, &metadata(Some(made.id), &made.manifest, names))?;
        }
        Ok(())
    }
}

/// The descriptor of a list in the store.
fn find_list(builder: &Builder<'_>, name: &str) -> Result<Descriptor> {
    let full = name.parse::<Reference>()?.to_string();
    let found = images(builder)?.into_iter().find(|image| image.names.contains(&full));
    let found = found.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("cannot find the list `{name}`")).because("somebody removed it")
    })?;
    Ok(Descriptor::new(&Index::default().media_type, found.digest, found.size))
}
