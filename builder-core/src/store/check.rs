//! What is damaged in the store, and what can be mended.
//!
//! A layer that has either its blob or its tree is whole: the other half is made when it is asked for. What killed
//! processes leave behind (unfinished work, trash, trees that nothing names) is no damage; `gc` takes it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Context, Error, Kind, Result};
use crate::layer::tar::Profile;
use crate::layer::{self, Digesting, Times};
use crate::oci::{Descriptor, Digest, Hasher, Index, MAX_MANIFEST, Manifest};
use crate::store::export::{TreeLayer, profile_times};
use crate::store::images::ImageEntry;
use crate::store::layers::Export;
use crate::store::{ContainerRecord, Store, TreeId, containers, durable};
use crate::sys::lock::{self, Mode};
use crate::tree::{Devices, Marks, Options, Root, Stack};

/// How thoroughly to look, and whether to mend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Read and hash every blob and every tree.
    pub deep: bool,
    /// Mend what can be mended, and remove what cannot.
    pub repair: bool,
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// One per damage.
    pub findings: Vec<Finding>,
}

/// One damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong, in one sentence.
    pub what: String,
    /// Whether it is no longer so.
    pub repaired: bool,
}

/// The top directory of a tar that does not speak of it has the time it was unpacked at.
const ANY_TIME: Times = Times::Set(0);

impl Store {
    /// Looks at everything in the store.
    pub fn check(&self, options: CheckOptions) -> Result<CheckReport> {
        let mut findings = Vec::new();
        self.check_index(options, &mut findings)?;
        if options.deep {
            self.check_blobs(options, &mut findings)?;
            self.check_trees(options, &mut findings)?;
        }
        self.check_images(options, &mut findings)?;
        self.check_containers(options, &mut findings)?;
        if options.repair {
            self.gc()?;
        }
        Ok(CheckReport { findings })
    }

    /// The tag table. It is made again from the manifests that are there; their names are lost.
    fn check_index(&self, options: CheckOptions, findings: &mut Vec<Finding>) -> Result<()> {
        let Err(error) = self.read_index() else { return Ok(()) };
        if options.repair {
            let mut entries = Vec::new();
            for digest in self.blobs()? {
                let Ok(bytes) = self.read_blob(digest, MAX_MANIFEST) else { continue };
                let Ok(manifest) = Manifest::parse(&bytes) else { continue };
                let descriptor = Descriptor::of(manifest.format().manifest(), &bytes);
                entries.push(ImageEntry::new(manifest.config.digest, descriptor, Vec::new()));
            }
            let mut index = Index::default();
            super::tag_table::write_entries(&mut index, &entries);
            let path = self.root.join("images/index.json");
            durable::write(&path, &serde_json::to_vec(&index).expect("plain data"))?;
        }
        findings.push(Finding { what: format!("the tag table: {error:?}"), repaired: options.repair });
        Ok(())
    }

    fn check_images(&self, options: CheckOptions, findings: &mut Vec<Finding>) -> Result<()> {
        let Ok(entries) = self.image_entries() else { return Ok(()) };
        for entry in entries {
            let id = entry.id;
            let called = entry.names.first().cloned().unwrap_or_else(|| id.short());
            for manifest in entry.manifests().map(|manifest| manifest.digest) {
                let meant = entry.meant_by(manifest).expect("it is one of its own");
                if self.check_image(meant).is_ok() {
                    continue;
                }
                // It may have been removed while we looked, or removed and made again: only now the table stands still.
                let mut damage = None;
                self.forget_manifest(id, manifest, |meant| {
                    damage = self.check_image(meant).err();
                    damage.is_some() && options.repair
                })?;
                let Some(error) = damage else { continue };
                let done = if options.repair { ", removed" } else { "" };
                let what = format!("the image `{called}`: {error:?}{done}");
                findings.push(Finding { what, repaired: options.repair });
            }
        }
        Ok(())
    }

    fn check_image(&self, entry: ImageEntry) -> Result<()> {
        if entry.is_list() {
            return self.read_list(entry).map(drop);
        }
        let image = self.load_image(entry)?;
        if image.manifest.config.digest != image.entry.id {
            return Err(Error::corrupt("its id is not the digest of its config"));
        }
        let diff_ids = &image.config.rootfs.diff_ids;
        if diff_ids.len() != image.manifest.layers.len() {
            return Err(Error::corrupt("its config and its manifest do not name as many layers"));
        }
        for (place, layer) in image.manifest.layers.iter().enumerate() {
            let blob = fs::metadata(self.blob_path(layer.digest));
            let blob = blob.is_ok_and(|blob| blob.len() == layer.size);
            if !blob && !self.has_layer(&diff_ids[..=place]) && !self.has_lost_layer(diff_ids) {
                return Err(Error::corrupt(format!("layer {} is neither a blob nor a tree", layer.digest)));
            }
        }
        Ok(())
    }

    /// Whether the topmost of these layers is there as a whole tree.
    fn has_layer(&self, layers: &[Digest]) -> bool {
        let parts = self.layer_tree(layers).and_then(|tree| self.parts(&tree).ok());
        parts.is_some_and(|parts| parts.iter().all(|part| self.tree_fs(part).is_dir()))
    }

    fn check_containers(&self, options: CheckOptions, findings: &mut Vec<Finding>) -> Result<()> {
        let dir = self.root.join("containers");
        for item in fs::read_dir(&dir).cannot("read", dir.display())?.flatten() {
            let path = item.path();
            let Some(mut error) = self.damage_of(&path) else { continue };
            if options.repair {
                // Whoever has it may be about to write another record. What is no directory nobody can have.
                let lock = path.is_dir().then(|| lock::wait(&path.join("lock"), Mode::Exclusive));
                let _alone = match lock.transpose() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    lock => lock.cannot("lock", path.display())?,
                };
                let Some(left) = self.damage_of(&path) else { continue };
                error = left;
                self.discard(&path)?;
            }
            let done = if options.repair { ", removed" } else { "" };
            let name = item.file_name().to_string_lossy().chars().take(12).collect::<String>();
            findings.push(Finding {
                what: format!("the container `{name}`: {error:?}{done}"),
                repaired: options.repair,
            });
        }
        Ok(())
    }

    /// What is wrong with a container. A record that was changed while what it names went is no damage: it is read
    /// until it stays as it is.
    fn damage_of(&self, path: &Path) -> Option<Error> {
        let mut record = containers::read_record(path);
        loop {
            let known = match record {
                Ok(known) => known,
                Err(error) => return path.exists().then_some(error),
            };
            let error = self.check_container(&known).err()?;
            record = containers::read_record(path);
            if record.as_ref().is_ok_and(|again| *again == known) {
                return Some(error);
            }
        }
    }

    fn check_container(&self, record: &ContainerRecord) -> Result<()> {
        for tree in &record.frozen {
            for part in self.parts(tree)? {
                if !self.tree_fs(&part).is_dir() {
                    return Err(Error::corrupt(format!("its part {part} has no files")));
                }
            }
        }
        let Some(base) = &record.base else { return Ok(()) };
        let (manifest, config) = self.read_image(base.manifest)?;
        for (place, layer) in manifest.layers.iter().enumerate() {
            let chain = config.rootfs.diff_ids.get(..=place).unwrap_or_default();
            if !self.has_blob(layer.digest) && !self.has_layer(chain) {
                return Err(Error::corrupt(format!("its base's layer {} is missing", layer.digest)));
            }
        }
        Ok(())
    }

    fn check_blobs(&self, options: CheckOptions, findings: &mut Vec<Finding>) -> Result<()> {
        for digest in self.blobs()? {
            let Some(found) = self.digest_of(digest)? else { continue };
            if found == digest {
                continue;
            }
            if options.repair {
                self.discard(&self.blob_path(digest))?;
            }
            let done = if options.repair { ", removed" } else { "" };
            let what = format!("the blob `{digest}` has the content of {found}{done}");
            findings.push(Finding { what, repaired: options.repair });
        }
        Ok(())
    }

    fn check_trees(&self, options: CheckOptions, findings: &mut Vec<Finding>) -> Result<()> {
        for tree in self.trees()? {
            let Err(error) = self.check_tree(&tree) else { continue };
            // A prune takes a tree and its parts one after the other.
            let against_gc = self.lock(Mode::Shared)?;
            let gone = match options.repair {
                true => self.trash(&self.tree_dir(&tree))?.is_none(),
                false => !self.tree_dir(&tree).exists(),
            };
            drop(against_gc);
            if gone {
                continue;
            }
            let done = if options.repair { ", removed" } else { "" };
            findings.push(Finding {
                what: format!("the layer `{tree}`: {error:?}{done}"),
                repaired: options.repair,
            });
        }
        Ok(())
    }

    /// Writes the tree's tar again, in every way it was written, and compares. A tree that was unpacked from someone
    /// else's tar is compared with its blob, unpacked once more; without that blob, reading all of it has to do.
    fn check_tree(&self, tree: &TreeId) -> Result<()> {
        let record = self.tree(tree)?;
        let parts = self.parts_or_empty(tree)?;
        for export in &record.exports {
            let layer = TreeLayer { parts: parts.clone(), below: export.below.clone() };
            let Some(times) = profile_times(&export.profile) else {
                let found = layer.write(self, ANY_TIME, &mut io::sink())?.diff_id;
                if let Some(wanted) = self.unpacked_again(export)?
                    && wanted != found
                {
                    return Err(Error::corrupt("its files are not those of its blob"));
                }
                continue;
            };
            let below_is_here = || (1..=layer.below.len()).all(|end| self.has_layer(&layer.below[..end]));
            if !below_is_here() {
                continue;
            }
            let written = layer.write(self, times, &mut io::sink());
            // What lies below may have gone while we read it.
            if !below_is_here() {
                continue;
            }
            let found = written?;
            if found.diff_id != export.diff_id {
                return Err(Error::corrupt(format!(
                    "its content is {}, not {}",
                    found.diff_id, export.diff_id
                )));
            }
        }
        Ok(())
    }

    /// What the tree of a layer would be, were it unpacked now. None if its blob is not kept, or is damaged itself.
    fn unpacked_again(&self, export: &Export) -> Result<Option<Digest>> {
        let whole =
            |blob: &&Descriptor| matches!(self.digest_of(blob.digest), Ok(Some(d)) if d == blob.digest);
        let Some(blob) = export.blobs.iter().map(|packed| &packed.blob).find(whole) else { return Ok(None) };
        let work = self.work()?;
        let top = work.dir().join("again");
        fs::create_dir(&top).cannot("make", top.display())?;
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&top, open).cannot("make", top.display())?;
        let root = Root::open_host(&top).cannot("open", top.display())?;
        let devices = if self.form() == Marks::User { Devices::Skip } else { Devices::Make };
        let options = Options { marks: self.form(), devices, keep_times: true };
        layer::unpack(&mut self.open_blob(blob.digest)?, &root, options)?;
        let tree = Stack::new(vec![root], self.form());
        let mut digesting = Digesting::new(io::sink());
        layer::tar::write(layer::diff(&tree, None), &Profile { times: ANY_TIME }, &mut digesting)?;
        let (_, digest, _) = digesting.finish().cannot("read", "the layer")?;
        Ok(Some(Digest::from_bytes(digest)))
    }

    /// Checks a tree from before another boot that perhaps never reached the disk. One that can be unpacked again is
    /// dropped unread.
    pub(super) fn distrust_tree(&self, tree: &TreeId) -> Result<()> {
        let Some(record) = self.tree(tree).ok().filter(|record| !self.can_unpack(record)) else {
            return self.discard(&self.tree_dir(tree));
        };
        match self.check_tree(tree) {
            Err(error) if error.kind() == Kind::Denied => Err(error),
            Err(_) => self.discard(&self.tree_dir(tree)),
            Ok(()) => self.doubt(tree, record),
        }
    }

    /// Whether a tree can be unpacked again.
    pub(super) fn can_unpack(&self, record: &super::LayerRecord) -> bool {
        let mut blobs = record.exports.iter().flat_map(|export| &export.blobs);
        blobs.any(|packed| self.has_blob(packed.blob.digest))
    }

    /// Marks a tree that nothing vouches for: no layer was made of it, and it is not what it was when it was read. It
    /// stays for the container that has it, and is no part of another.
    fn doubt(&self, tree: &TreeId, record: super::LayerRecord) -> Result<()> {
        let vouched = match &record.content {
            Some(known) => {
                let path = self.tree_fs(tree);
                let root = Root::open_host(&path).cannot("open the layer", tree)?;
                let read = crate::tree::fingerprint::of_tree(&root, self.form(), known.since, known.until);
                read.is_ok_and(|read| read.digest == known.digest)
            }
            None => !record.exports.is_empty() || !record.parts.is_empty(),
        };
        if vouched {
            return Ok(());
        }
        self.update_tree(tree, |record| record.doubted = true)
    }

    /// Checks a blob from before another boot that perhaps never reached the disk.
    pub(super) fn distrust_blob(&self, digest: Digest) -> Result<()> {
        match self.digest_of(digest)? {
            Some(found) if found != digest => self.discard(&self.blob_path(digest)),
            _ => Ok(()),
        }
    }

    /// The digest that a blob really has; none if it is gone.
    fn digest_of(&self, digest: Digest) -> Result<Option<Digest>> {
        let Ok(mut file) = self.open_blob(digest) else { return Ok(None) };
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer).cannot("read the blob", digest)? {
                0 => return Ok(Some(hasher.finish())),
                count => hasher.update(&buffer[..count]),
            }
        }
    }
}

#[cfg(test)]
mod tests;
