//! How much room the store takes, by what takes it, and making room in its caches.
//!
//! What is counted are the blocks that files have on the disk, each file once, as `df` does. What can be given up are
//! recorded steps, with trees that only they name, and cache mounts; the builds that began first go first, whole.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Context, Error, Kind, Result};
use crate::oci::Digest;
use crate::store::{Reclaimed, Store, TreeId};

/// Room on the disk, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Manifests, configs and the layers that are kept as blobs.
    pub images: u64,
    /// Trees of layers.
    pub layers: u64,
    /// What containers have changed and not frozen.
    pub containers: u64,
    /// Records of steps and what belongs to them, without their trees.
    pub steps: u64,
    /// Directories that commands keep from run to run.
    pub cache_mounts: u64,
    /// Unfinished work, and everything else.
    pub other: u64,
}

impl Usage {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Usage { images, layers, containers, steps, cache_mounts, other } = self;
        images + layers + containers + steps + cache_mounts + other
    }
}

/// What is to stay of the caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// What no build has used that began at this time or later goes.
    pub since: Option<SystemTime>,
    /// The whole store is brought down to so many bytes.
    pub max_size: Option<u64>,
}

/// What was given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Recorded steps.
    pub steps: usize,
    /// Cache mounts.
    pub cache_mounts: usize,
    /// What went with them.
    pub reclaimed: Reclaimed,
}

/// Something that can be given up.
enum Item {
    /// A recorded step.
    Step(Digest, Option<TreeId>),
    /// A cache mount, by its directory.
    Cache(PathBuf),
}

/// Counts blocks of files, each file once.
struct Counter {
    device: u64,
    linked: HashSet<u64>,
}

impl Forgotten {
    fn add(&mut self, more: Reclaimed) {
        self.reclaimed.trees += more.trees;
        self.reclaimed.blobs += more.blobs;
    }
}

impl Store {
    /// How much room everything takes.
    pub fn usage(&self) -> Result<Usage> {
        let mut counter = self.counter()?;
        let mut count = |name: &str| counter.count(&self.root.join(name));
        let mut usage = Usage {
            images: count("images"),
            layers: count("layers"),
            containers: count("containers"),
            steps: ["steps", "near", "inputs", "stat"]
                .iter()
                .map(|name| count(&format!("cache/{name}")))
                .sum(),
            cache_mounts: count("cache-mounts"),
            other: 0,
        };
        let mut whole = self.counter()?;
        usage.other = whole.count(&self.root).saturating_sub(usage.total());
        Ok(usage)
    }

    fn counter(&self) -> Result<Counter> {
        let meta = fs::metadata(&self.root).cannot("read", self.root.display())?;
        Ok(Counter { device: meta.dev(), linked: HashSet::new() })
    }

    /// Gives up what need not stay, and takes away what nothing names. What living processes use, stays.
    ///
    /// # Errors
    /// The store is still larger than it may be: the rest belongs to images and containers.
    pub fn shrink(&self, keep: Keep) -> Result<Forgotten> {
        let mut forgotten = Forgotten::default();
        if let Some(since) = keep.since {
            for (used, item) in self.items()? {
                if used < since {
                    self.give_up(&item, &mut forgotten);
                }
            }
        }
        forgotten.add(self.gc()?);
        let Some(max) = keep.max_size else { return Ok(forgotten) };
        let mut left = self.usage()?.total();
        let mut target = max;
        while left > max {
            self.shrink_to(target, left, &mut forgotten)?;
            forgotten.add(self.gc()?);
            left = self.usage()?.total();
            if target == 0 || self.items()?.is_empty() {
                break;
            }
            // Something that is in use stayed, and others have to go in its place.
            target /= 4;
        }
        if left > max {
            return Err(Error::new(Kind::InUse, format!("cannot bring the store down to {max} bytes"))
                .because(format!("images, containers and what runs now take {left}"))
                .hint("remove images and containers: `kiln rm`, `kiln rmi`, `kiln prune --all`"));
        }
        Ok(forgotten)
    }

    /// Keeps the latest builds that fit.
    fn shrink_to(&self, max: u64, total: u64, forgotten: &mut Forgotten) -> Result<()> {
        let mut items = self.items()?;
        // Tables of signatures are made again in no time.
        let tables = self.root.join("cache/stat");
        for item in fs::read_dir(&tables).cannot("read", tables.display())?.flatten() {
            let _ = fs::remove_file(item.path());
        }
        let named = self.named_elsewhere()?;
        let mut counter = self.counter()?;
        let mut sizes: HashMap<TreeId, u64> = HashMap::new();
        for (_, item) in &items {
            if let Item::Step(_, Some(tree)) = item
                && !named.contains(tree)
            {
                sizes.entry(tree.clone()).or_insert_with(|| counter.count(&self.tree_dir(tree)));
            }
        }
        let own = |item: &Item| match item {
            Item::Step(key, _) => fs::metadata(self.step_path(*key)).map_or(0, |meta| meta.blocks() * 512),
            Item::Cache(_) => 0,
        };
        let caches: Vec<u64> = items
            .iter()
            .map(|(_, item)| match item {
                Item::Cache(dir) => counter.count(dir),
                Item::Step(..) => 0,
            })
            .collect();
        let costs: Vec<u64> = items.iter().zip(&caches).map(|((_, item), cache)| own(item) + cache).collect();
        let fixed = total.saturating_sub(costs.iter().sum::<u64>() + sizes.values().sum::<u64>());
        let mut budget = max.saturating_sub(fixed);
        let mut full = fixed > max;
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|place| std::cmp::Reverse(items[*place].0));
        let mut gone = Vec::new();
        for build in order.chunk_by(|a, b| items[*a].0 == items[*b].0) {
            let mut cost = 0;
            let mut trees = HashSet::new();
            for place in build {
                cost += costs[*place];
                if let Item::Step(_, Some(tree)) = &items[*place].1
                    && trees.insert(tree.clone())
                {
                    cost += sizes.get(tree).copied().unwrap_or_default();
                }
            }
            full |= cost > budget;
            if full {
                gone.extend(build.iter().copied());
                continue;
            }
            budget -= cost;
            for tree in trees {
                sizes.insert(tree, 0);
            }
        }
        gone.sort_unstable();
        for place in gone.into_iter().rev() {
            self.give_up(&items.swap_remove(place).1, forgotten);
        }
        Ok(())
    }

    /// Everything that can be given up, with when the build began that used it last.
    fn items(&self) -> Result<Vec<(SystemTime, Item)>> {
        let mut items = Vec::new();
        for (key, used) in self.steps()? {
            items.push((used, Item::Step(key, self.step(key).and_then(|record| record.tree))));
        }
        let Ok(caches) = fs::read_dir(self.root.join("cache-mounts")) else { return Ok(items) };
        for cache in caches.flatten() {
            let newest = fs::read_dir(cache.path()).into_iter().flatten().flatten();
            let newest = newest.filter_map(|one| one.metadata().ok()?.modified().ok()).max();
            items.push((newest.unwrap_or(SystemTime::UNIX_EPOCH), Item::Cache(cache.path())));
        }
        Ok(items)
    }

    fn give_up(&self, item: &Item, forgotten: &mut Forgotten) {
        match item {
            Item::Step(key, _) => {
                self.forget_step(*key);
                forgotten.steps += 1;
            }
            Item::Cache(dir) => {
                if self.give_up_cache(dir) {
                    forgotten.cache_mounts += 1;
                }
            }
        }
    }
}

impl Counter {
    /// The blocks of all that is at `path`, on this file system, and was not counted yet. What goes meanwhile, or may
    /// not be looked at, is not counted.
    fn count(&mut self, path: &Path) -> u64 {
        let mut sum = 0;
        let mut todo = vec![path.to_path_buf()];
        while let Some(path) = todo.pop() {
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            if meta.dev() != self.device {
                continue;
            }
            if meta.is_dir() {
                todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|item| item.path()));
            } else if meta.nlink() > 1 && !self.linked.insert(meta.ino()) {
                continue;
            }
            sum += meta.blocks() * 512;
        }
        sum
    }
}
