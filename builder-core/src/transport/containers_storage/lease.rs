//! A container of Kiln's in a storage's own table of containers: as long as it is there, the storage's programs refuse
//! to remove the image whose files it uses, and list it as a container of another tool.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use serde_json::json;

use super::layers;
use super::place::{Kept, Storage};
use super::stage::Stage;
use super::tables::{Table, texts};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;

/// What is noted of a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease<'a> {
    /// Its id, 64 hexadecimal digits.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The id of its image.
    pub image: &'a str,
}

impl Storage {
    /// Notes a container, and gives it a layer of its own, as every container has there.
    ///
    /// # Errors
    /// `NotFound` if the image was removed meanwhile.
    pub fn lease(&self, lease: Lease<'_>, reporter: &dyn Reporter) -> Result<()> {
        let layers_lock = self.lock(Kept::Layers, reporter)?;
        let images = self.table(self.root(), Kept::Images)?;
        let gone = || {
            Error::new(Kind::NotFound, format!("cannot use the image `{}`", lease.image))
                .because("another process removed it meanwhile")
        };
        let top = images.find(lease.image).and_then(|image| image["layer"].as_str()).ok_or_else(gone)?;
        let path = self.table_path(self.root(), Kept::Layers);
        let mut table = Table::read(&path)?;
        if !top.is_empty() && table.layer(top).is_none_or(|layer| layer.is_incomplete()) {
            return Err(gone());
        }
        let stage = Stage::begin(self)?;
        layers::clear_incomplete(self, &stage, &mut table)?;
        let now = jiff::Timestamp::now().to_string();
        // Ours alone, so that it cannot be another's: the container's own id.
        let mut layer = json!({ "id": lease.id, "created": now });
        if !top.is_empty() {
            layer["parent"] = top.into();
        }
        layers::begin(&mut layer);
        table.items_mut().push(layer);
        table.write(&path)?;
        layers_lock.touch()?;
        let (dir, link) = stage.empty()?;
        layers::put(self, &stage, lease.id, top, &dir, &link)?;
        layers::complete(&mut table, lease.id);
        table.write(&path)?;
        layers_lock.touch()?;
        self.note(lease, &now, reporter)
    }

    fn note(&self, lease: Lease<'_>, now: &str, reporter: &dyn Reporter) -> Result<()> {
        let lock = self.lock(Kept::Containers, reporter)?;
        let path = self.table_path(self.root(), Kept::Containers);
        let mut table = Table::read(&path)?;
        let name = free_name(&table, lease.id, lease.name);
        table.items_mut().push(json!({
            "id": lease.id,
            "names": [name],
            "image": lease.image,
            "layer": lease.id,
            "metadata": json!({ "kiln": lease.name }).to_string(),
            "created": now,
            "flags": { "MountLabel": "", "ProcessLabel": "" },
        }));
        let dir = self.dir(self.root(), Kept::Containers).join(lease.id);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir.join("userdata"))
            .cannot("make", dir.display())?;
        table.write(&path)?;
        lock.touch()
    }

    /// Gives a noted container another name. One that is not there, or not any more, is as good.
    pub fn rename_lease(&self, id: &str, name: &str, reporter: &dyn Reporter) -> Result<()> {
        let lock = self.lock(Kept::Containers, reporter)?;
        let path = self.table_path(self.root(), Kept::Containers);
        let mut table = Table::read(&path)?;
        let free = free_name(&table, id, name);
        let Some(noted) = table.find_mut(id) else { return Ok(()) };
        noted["names"] = json!([free]);
        noted["metadata"] = json!({ "kiln": name }).to_string().into();
        table.write(&path)?;
        lock.touch()
    }

    /// Takes the note of a container away. One that is not there, or not any more, is as good.
    pub fn release(&self, id: &str, reporter: &dyn Reporter) -> Result<()> {
        if !layers::is_id(id) {
            return Ok(());
        }
        let layers_lock = self.lock(Kept::Layers, reporter)?;
        let lock = self.lock(Kept::Containers, reporter)?;
        let path = self.table_path(self.root(), Kept::Containers);
        let mut table = Table::read(&path)?;
        let before = table.items().len();
        table.items_mut().retain(|item| item["id"] != id);
        if table.items().len() < before {
            table.write(&path)?;
            lock.touch()?;
        }
        let dir = self.dir(self.root(), Kept::Containers).join(id);
        let stage = Stage::begin(self)?;
        layers::ignore_missing(fs::remove_dir_all(&dir)).cannot("remove", dir.display())?;
        drop(lock);
        self.remove_layers(&layers_lock, &stage, &[id.to_owned()])
    }
}

/// What a container is called there: two stores may both have one of this name, and a name is one container's.
fn free_name(table: &Table, id: &str, name: &str) -> String {
    let others = table.items().iter().filter(|item| item["id"] != id);
    let taken = others.flat_map(|item| texts(&item["names"])).any(|known| known == name);
    if taken { format!("{name}-{}", &id[..12]) } else { name.to_owned() }
}
