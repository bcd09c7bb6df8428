//! `build --cache-from`, `--cache-to`: steps that are known elsewhere, in a registry's repository or a layout.
//!
//! A step is an image whose tag is the step's key: its topmost layer is what the step did to the files, and a label of
//! its config says the rest. Whoever may write there decides what a step did, as with any image one builds on.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::builder::{Builder, Exchange, now_nanoseconds};
use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Silent};
use crate::name::Location;
use crate::oci::{ConfigEdit, Digest};
use crate::rootfs;
use crate::steps::{content, history};
use crate::store::containers::Base;
use crate::store::layers::TreeContent;
use crate::store::steps::MAX_KEPT;
use crate::store::{Outcome, Printed, StepKind, StepRecord, Store};
use crate::transport::Access;
use crate::verbs::commit::Commit;
use crate::verbs::copy_image::Layers;
use crate::verbs::images::Rmi;
use crate::verbs::pull::{Policy, Pull};
use crate::verbs::push::Push;

/// The label with what is not in the layer.
const LABEL: &str = "io.kiln.step";

/// As much as the label may have of what a step printed, bytes: whoever reads a config takes 4 MiB of it. Compressed,
/// that is more than 16 MiB of what most programs print.
const MAX_PRINTED: usize = 2 << 20;

/// Where steps are taken from and sent to.
#[derive(Debug, Default)]
pub struct StepCache {
    /// Repositories or `oci:DIR`.
    pub from: Vec<String>,
    /// Repositories or `oci:DIR`.
    pub to: Vec<String>,
    /// How a registry is reached.
    pub access: Access,
    /// The form of layers there.
    pub layers: Layers,
    /// The level of compression.
    pub level: Option<i32>,
    /// What was sent already.
    sent: Mutex<BTreeSet<String>>,
    /// The places that did not answer, which are told once.
    silent: Mutex<BTreeSet<String>>,
}

/// What the label says.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    record: StepRecord,
    /// What the topmost layer is by content; none where the step changed no file.
    content: Option<TreeContent>,
    /// What it printed as the store keeps it, compressed by zstd, in base64.
    printed: String,
}

impl StepCache {
    /// Asks `from`, and sends to `to`: each a repository such as `HOST/PATH`, or a layout `oci:DIR`.
    pub fn new(from: Vec<String>, to: Vec<String>, access: Access) -> Result<Self> {
        let cache = StepCache { from, to, access, ..StepCache::default() };
        // That each makes a location is seen now, not at the first step.
        let key = Digest::of(b"");
        cache.from.iter().chain(&cache.to).try_for_each(|place| location(place, key).map(drop))?;
        Ok(cache)
    }

    /// Has a builder ask here for steps that it does not know.
    #[must_use]
    pub fn serve<'a>(&'a self, builder: Builder<'a>) -> Builder<'a> {
        if self.from.is_empty() { builder } else { builder.asking(self) }
    }

    /// Sends the last step of a container, performed or known here, unless it was sent before.
    pub fn send(&self, builder: &Builder<'_>, container: &str) -> Result<()> {
        if self.to.is_empty() {
            return Ok(());
        }
        let record = builder.store.find_container(container)?;
        let steps = history::steps(&record);
        let last = steps.iter().rfind(|stepped| stepped.step.kind != StepKind::Config);
        let Some(key) = last
            .filter(|stepped| matches!(stepped.step.outcome, Outcome::Performed | Outcome::Cached))
            .and_then(|stepped| stepped.step.key)
        else {
            return Ok(());
        };
        if !self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(key.hex()) {
            return Ok(());
        }
        let work = builder.store.work()?;
        let Some((step, printed)) = builder.store.take_step(&work, key)? else { return Ok(()) };
        // The topmost layer has to be what this step did, and nothing more.
        let newest = record.frozen.last();
        if step.tree.as_ref().is_some_and(|tree| Some(tree) != newest) {
            return Ok(());
        }
        let content = match &step.tree {
            Some(tree) => {
                Some(content::of_tree(&builder.store, tree, content::since(&builder.store, &record))?)
            }
            None => None,
        };
        let printed = zstd::encode_all(printed.bytes(), 0).cannot("compress", "what the step printed")?;
        let printed = STANDARD.encode(printed);
        if printed.len() > MAX_PRINTED {
            builder
                .report(Event::warning(format!("`{}` is kept nowhere else: it prints too much", step.line)));
            return Ok(());
        }
        let text = serde_json::to_string(&Sent { record: step, content, printed }).expect("plain data");
        let commit = Commit {
            container: record.id.clone(),
            layers: true,
            each_step: true,
            edits: vec![ConfigEdit::Label(LABEL.to_owned(), text)],
            ..Commit::default()
        };
        let image = commit.perform(builder)?.id.hex();
        let sent = self.to.iter().try_for_each(|place| {
            let push = Push {
                image: image.clone(),
                target: Some(location(place, key)?),
                layers: self.layers,
                level: self.level,
                access: self.access.clone(),
                ..Push::default()
            };
            push.perform(builder).map(drop)
        });
        let gone = Rmi { image, force: true }.perform_alone(builder);
        sent.and(gone.map(drop))
    }

    /// Records what an image says of a step.
    fn take_in(&self, builder: &Builder<'_>, place: &str, key: Digest) -> Result<()> {
        let pull = Pull {
            source: location(place, key)?,
            access: self.access.clone(),
            policy: Policy::Always,
            ..Pull::default()
        };
        // Who builds is told of the step, not of how it came.
        let silent = Builder::open(&builder.settings, builder.host, &Silent)?;
        let image = pull.perform(&silent)?.id.hex();
        let taken = self.record(&silent, &image, key);
        let gone = Rmi { image, force: true }.perform_alone(&silent);
        taken.and(gone.map(drop))
    }

    fn record(&self, builder: &Builder<'_>, image: &str, key: Digest) -> Result<()> {
        let store = &builder.store;
        let work = store.work()?;
        let held = store.hold_image(&work, image)?;
        let layers = held.config.rootfs.diff_ids.clone();
        let foreign = || Error::corrupt(format!("cannot use the step `{}`", key.short()));
        let label = held.config.config.labels.get(LABEL).ok_or_else(|| foreign().because("it is no step"))?;
        let sent: Sent = serde_json::from_str(label).map_err(|cause| foreign().because(cause))?;
        let mut record = sent.record;
        record.tree = match sent.content {
            None => None,
            Some(content) => {
                let manifest = held.entry.manifest.digest;
                let base = Base { name: String::new(), id: held.entry.id, manifest, layers: layers.clone() };
                rootfs::trees::ensure(builder, &work, &base)?;
                let tree = store.layer_tree(&layers).ok_or_else(|| foreign().because("it has no layer"))?;
                store.lease(&work, [tree.as_str()])?;
                store.update_tree(&tree, |tree| tree.content = Some(content))?;
                Some(tree)
            }
        };
        let compressed = STANDARD.decode(&sent.printed).map_err(|cause| foreign().because(cause))?;
        let mut printed = Vec::new();
        // As with any other compressed bytes from outside: no more than there can be.
        let decoder = zstd::Decoder::new(compressed.as_slice()).map_err(|cause| foreign().because(cause))?;
        decoder.take(MAX_KEPT).read_to_end(&mut printed).map_err(|cause| foreign().because(cause))?;
        let printed = Printed::of_bytes(printed);
        if Store::digest_of_printed(&printed) != record.printed {
            return Err(foreign().because("it printed something else"));
        }
        store.record_step(&work, key, &record, &printed, now_nanoseconds())
    }
}

impl Exchange for StepCache {
    fn fetch(&self, builder: &Builder<'_>, key: Digest) -> bool {
        self.from.iter().any(|place| match self.take_in(builder, place, key) {
            Ok(()) => true,
            Err(error) => {
                let is_new = || {
                    let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
                    silent.insert(place.clone())
                };
                if error.kind() != Kind::NotFound && is_new() {
                    builder.report(Event::warning(format!("no steps are taken from `{place}`: {error}")));
                }
                false
            }
        })
    }
}

/// Where the step with this key is in a repository or layout.
fn location(place: &str, key: Digest) -> Result<String> {
    let place = place.strip_prefix("docker://").unwrap_or(place);
    let text = match place.strip_prefix("oci:") {
        Some(dir) => format!("oci:{dir}:{}", key.hex()),
        None => format!("docker://{place}:{}", key.hex()),
    };
    let wrong = |error: Error| {
        Error::invalid(format!("cannot keep steps in `{place}`"))
            .because(error)
            .hint("name a repository without a tag, HOST/PATH, or a layout, oci:DIR")
    };
    Location::parse(&text).map_err(wrong)?;
    Ok(text)
}
