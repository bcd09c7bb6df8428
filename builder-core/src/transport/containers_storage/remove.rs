//! What goes from a storage: names, images, and layers that only they had.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::layers;
use super::lock::TableLock;
use super::place::{Kept, Storage};
use super::publish::{add_texts, take_names};
use super::stage::Stage;
use super::tables::{Table, texts};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;

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
        let containers = self.table(self.root(), Kept::Containers)?;
        if let Some(user) = containers.items().iter().find(|container| container["image"] == id) {
            let name = texts(&user["names"]).next().or(user["id"].as_str()).unwrap_or_default();
            return Err(Error::new(Kind::InUse, format!("cannot remove the image `{id}`"))
                .because(format!("in `{}` a container was made of it: {name}", self.root().display()))
                .hint(format!("remove it first, as the tool does that made it: podman rm {name}")));
        }
        images.items_mut().retain(|item| item["id"] != id);
        images.write(&path)?;
        images_lock.touch()?;
        let stage = Stage::begin(self)?;
        let dir = self.dir(self.root(), Kept::Images).join(id);
        layers::ignore_missing(fs::remove_dir_all(&dir)).cannot("remove", dir.display())?;
        drop(images_lock);
        let kept: BTreeSet<&str> = (images.items().iter().chain(containers.items()))
            .flat_map(|item| texts(&item["mapped-layers"]).chain(item["layer"].as_str()))
            .collect();
        let table = self.table(self.root(), Kept::Layers)?;
        let mut gone: Vec<String> = Vec::new();
        let mapped = texts(&image["mapped-layers"]).chain(image["layer"].as_str());
        for top in mapped {
            let mut next = Some(top);
            while let Some(layer) = next.filter(|layer| !layer.is_empty() && !kept.contains(layer)) {
                let others = table.items().iter().filter(|item| item["parent"] == layer);
                if others
                    .filter_map(|item| item["id"].as_str())
                    .any(|child| gone.iter().all(|id| id != child))
                {
                    break;
                }
                gone.push(layer.to_owned());
                next = table.find(layer).and_then(|item| item["parent"].as_str());
            }
        }
        self.remove_layers(&layers_lock, &stage, &gone)
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
