//! What goes from a storage: names, images, and layers that only they had.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::layers;
use super::lock::TableLock;
use super::place::{Kept, Storage};
use super::publish::{add_texts, take_names};
use super::stage::{self, Stage};
use super::tables::{Table, texts};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;

/// A layer and all below it.
fn below(table: &Table, top: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut next = Some(top);
    while let Some(id) = next.filter(|id| !id.is_empty() && found.iter().all(|known| known != id)) {
        found.push(id.to_owned());
        next = table.find(id).and_then(|item| item["parent"].as_str());
    }
    found
}

impl Storage {
    /// Takes a name away from its image; the image stays, perhaps without a name.
    pub fn remove_name(&self, name: &str, reporter: &dyn Reporter) -> Result<()> {
        self.edit_images(reporter, |table| {
            take_names(table, &[name.to_owned()], "");
            Ok(())
        })
    }

    /// Gives an image more names, taking them from whichever images had them. `false` if the image is not here.
    pub fn add_names(&self, id: &str, names: &[String], reporter: &dyn Reporter) -> Result<bool> {
        let mut found = false;
        self.edit_images(reporter, |table| {
            found = table.find(id).is_some();
            if found {
                take_names(table, names, id);
                let image = table.find_mut(id).expect("it was found");
                add_texts(&mut image["names"], names);
                add_texts(&mut image["names-history"], names);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn edit_images(
        &self,
        reporter: &dyn Reporter,
        edit: impl FnOnce(&mut Table) -> Result<()>,
    ) -> Result<()> {
        let lock = self.lock(Kept::Images, reporter)?;
        let path = self.table_path(self.root(), Kept::Images);
        let mut table = Table::read(&path)?;
        let before = table.items().to_vec();
        edit(&mut table)?;
        if table.items() == before {
            return Ok(());
        }
        table.write(&path)?;
        lock.touch()
    }

    /// Removes an image and the layers that nothing else has; one that is not here is as good.
    ///
    /// # Errors
    /// `InUse` if a container was made of it.
    pub fn remove_image(&self, id: &str, reporter: &dyn Reporter) -> Result<()> {
        if !layers::is_id(id) {
            return Ok(());
        }
        let layers_lock = self.lock(Kept::Layers, reporter)?;
        let images_lock = self.lock(Kept::Images, reporter)?;
        let path = self.table_path(self.root(), Kept::Images);
        let mut images = Table::read(&path)?;
        let Some(image) = images.find(id).cloned() else { return Ok(()) };
        let containers = self.table_of_users(Kept::Containers)?;
        if let Some(user) = containers.items().iter().find(|container| container["image"] == id) {
            let name = texts(&user["names"]).next().or(user["id"].as_str()).unwrap_or_default();
            return Err(Error::new(Kind::InUse, format!("cannot remove the image `{id}`"))
                .because(format!("in `{}` a container was made of it: {name}", self.root().display()))
                .hint(format!("remove it first, as the tool does that made it: podman rm {name}")));
        }
        let table = self.table_of_users(Kept::Layers)?;
        let tops = texts(&image["mapped-layers"]).chain(image["layer"].as_str());
        let going: BTreeSet<String> = tops.flat_map(|top| below(&table, top)).collect();
        let stage = Stage::begin(self)?;
        stage.note_going(&going)?;
        images.items_mut().retain(|item| item["id"] != id);
        images.write(&path)?;
        images_lock.touch()?;
        let dir = self.dir(self.root(), Kept::Images).join(id);
        layers::ignore_missing(fs::remove_dir_all(&dir)).cannot("remove", dir.display())?;
        self.remove_unused(&layers_lock, &stage, going)
    }

    /// Ends what killed processes of ours began: layers of images that are removed, and unfinished directories.
    pub fn sweep(&self, reporter: &dyn Reporter) -> Result<()> {
        let layers_lock = self.lock(Kept::Layers, reporter)?;
        let _images_lock = self.lock(Kept::Images, reporter)?;
        for dead in stage::dead(self) {
            let stage = Stage::begin(self)?;
            self.remove_unused(&layers_lock, &stage, dead.going())?;
        }
        Ok(())
    }

    /// Removes those of these layers that no image, container or other layer needs. The locks of layers and images are
    /// held.
    fn remove_unused(&self, lock: &TableLock, stage: &Stage, mut going: BTreeSet<String>) -> Result<()> {
        let (images, containers) =
            (self.table(self.root(), Kept::Images)?, self.table_of_users(Kept::Containers)?);
        let table = self.table_of_users(Kept::Layers)?;
        let others =
            table.items().iter().filter(|item| item["id"].as_str().is_some_and(|id| !going.contains(id)));
        let needed: BTreeSet<String> = (images.items().iter().chain(containers.items()))
            .flat_map(|item| texts(&item["mapped-layers"]).chain(item["layer"].as_str()))
            .chain(others.filter_map(|item| item["parent"].as_str()))
            .flat_map(|top| below(&table, top))
            .collect();
        going.retain(|id| !needed.contains(id));
        self.remove_layers(lock, stage, &going.into_iter().collect::<Vec<_>>())
    }

    /// Removes layers: in the table as incomplete first, then their files, then out of the table.
    pub(super) fn remove_layers(&self, lock: &TableLock, stage: &Stage, ids: &[String]) -> Result<()> {
        let path = self.table_path(self.root(), Kept::Layers);
        let mut table = Table::read(&path)?;
        let mut any = false;
        for id in ids {
            if let Some(layer) = table.find_mut(id) {
                if !layer["flags"].is_object() {
                    layer["flags"] = json!({});
                }
                layers::begin(layer);
                any = true;
            }
        }
        if !any {
            return Ok(());
        }
        table.write(&path)?;
        lock.touch()?;
        layers::clear_incomplete(self, stage, &mut table)?;
        table.write(&path)?;
        lock.touch()
    }
}
