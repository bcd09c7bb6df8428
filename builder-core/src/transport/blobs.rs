//! The blobs of one image on their way: several at a time, each in one pass, whatever is done to it.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Meter, Metered, Reporter};
use crate::layer::{Checked, Compression, Digesting, Encoder, Outlet, decode, pipe, pour};
use crate::oci::{Descriptor, Digest, Format};
use crate::store::layers::Packed;
use crate::transport::convert::{self, Others, Recompress};
use crate::transport::sink::{Outgoing, Part, Sink, Wants};
use crate::transport::source::{Content, Source};
use crate::transport::turn::Turn;
use crate::transport::unfinished::Unfinished;

/// Compression workers at most: each holds a few megabytes, and memory has a bound on any machine.
const MAX_WORKERS: usize = 8;

/// From where to where, and what is done on the way.
pub(crate) struct Blobs<'a> {
    /// Where they are.
    pub source: &'a dyn Source,
    /// Where they go.
    pub sender: Sender<'a>,
    /// No layer changes its form, whatever the sink wants.
    pub keep: bool,
}

/// Where blobs go, and in which form.
pub(crate) struct Sender<'a> {
    /// Where to.
    pub sink: &'a dyn Sink,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
    /// The form of layers.
    pub recompress: Recompress,
    /// Which form they have where nothing else is said.
    pub wants: Wants,
    /// The family of their media types.
    pub format: Format,
    /// Where layers are made before they are sent, so that what the sink has need not be sent; none to send them while
    /// they are made.
    pub precompute: Option<&'a Path>,
    /// Whose turn it is to compress with zstd, whose buffers take more than all else of a copy.
    pub turn: Turn,
}

/// A layer that is made while it is sent.
pub(crate) struct Making {
    /// What it is told as, e.g. `writing layer 0123456789ab`.
    pub task: String,
    /// How many bytes will be read or made for it, where that is known.
    pub bytes: Option<u64>,
    /// The form it gets.
    pub form: Compression,
}

impl Blobs<'_> {
    /// Sends the config, which was read already, and all layers, side by side where that saves waiting; gives what each
    /// layer is at the target.
    pub fn all(
        &self,
        (config, bytes): (&Descriptor, &[u8]),
        layers: &[Descriptor],
        diff_ids: &[Digest],
    ) -> Result<Vec<Descriptor>> {
        let Sender { sink, reporter, .. } = self.sender;
        // Asked and told before anything else: it says how the target is spoken to, and lines keep their order.
        if sink.has_blob(config, Part::Config)? {
            return self.layers(layers, diff_ids);
        }
        let task = format!("copying config {}", config.digest.short());
        let meter = Meter::begin(reporter, task, Some(config.size));
        let send = || self.sender.send(bytes, config, Part::Config, meter);
        if !sink.is_remote() || sink.lanes() == 1 {
            send()?;
            return self.layers(layers, diff_ids);
        }
        std::thread::scope(|scope| {
            let config = scope.spawn(send);
            let layers = self.layers(layers, diff_ids);
            config.join().map_err(|_| thread_failed())??;
            layers
        })
    }

    /// Sends all layers; gives what each is at the target. `diff_ids` is empty for what is no image.
    fn layers(&self, layers: &[Descriptor], diff_ids: &[Digest]) -> Result<Vec<Descriptor>> {
        let lanes = self.source.lanes().min(self.sender.sink.lanes()).min(layers.len()).max(1);
        // A blob that is named twice is sent once.
        let first = |place: usize| layers[..place].iter().position(|l| l.digest == layers[place].digest);
        let next = AtomicUsize::new(0);
        let sent: Mutex<Vec<Option<Result<Descriptor>>>> = Mutex::new(layers.iter().map(|_| None).collect());
        let failed = || lock(&sent).iter().flatten().any(Result::is_err);
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= layers.len() || failed() {
                    return;
                }
                if first(place).is_none() {
                    let part =
                        if diff_ids.is_empty() { Part::Other } else { Part::Layer(&diff_ids[..=place]) };
                    let done = self.layer(&layers[place], part);
                    lock(&sent)[place] = Some(done);
                }
            }
        };
        if lanes == 1 {
            work();
        } else {
            std::thread::scope(|scope| (0..lanes).for_each(|_| drop(scope.spawn(work))));
        }
        let done = std::mem::take(&mut *lock(&sent));
        let sent = done.into_iter().map(Option::transpose).collect::<Result<Vec<Option<Descriptor>>>>()?;
        let at = |place: usize| sent[first(place).unwrap_or(place)].clone();
        let all: Option<Vec<Descriptor>> = (0..layers.len()).map(at).collect();
        all.ok_or_else(thread_failed)
    }

    /// What each layer would be at the target; none where that shows only when it is made.
    pub fn foresee(&self, layers: &[Descriptor], diff_ids: &[Digest]) -> Result<Option<Vec<Descriptor>>> {
        if self.sender.recompress.others == Others::UnlessThere {
            return Ok(None);
        }
        let mut foreseen = Vec::new();
        for (place, layer) in layers.iter().enumerate() {
            let change = match (self.keep, diff_ids.get(place)) {
                (false, Some(diff_id)) => self.sender.change(layer).map(|form| (*diff_id, form)),
                _ => None,
            };
            let Some((diff_id, form)) = change else {
                foreseen.push(layer.clone());
                continue;
            };
            let mut known = self.source.forms(diff_id)?.into_iter();
            let has_form = |known: &Packed| convert::form_of(&known.blob) == Some(form);
            let has_level = |known: &Packed| self.sender.recompress.has_level(known, form);
            let Some(known) = known.find(|known| has_form(known) && has_level(known)) else {
                return Ok(None);
            };
            foreseen.push(self.sender.known_as(known.blob, form));
        }
        Ok(Some(foreseen))
    }

    fn layer(&self, layer: &Descriptor, part: Part<'_>) -> Result<Descriptor> {
        let mut tried = 0;
        loop {
            match self.try_layer(layer, part) {
                Err(error) if self.sender.sink.send_again(&error, tried) => tried += 1,
                done => return done,
            }
        }
    }

    fn try_layer(&self, layer: &Descriptor, part: Part<'_>) -> Result<Descriptor> {
        if convert::is_foreign(layer) && layer.other.contains_key("urls") {
            return self.foreign(layer);
        }
        if let Part::Layer(chain) = part
            && let Some(sent) = chain.last().and_then(|diff_id| self.source.sent_ahead(*diff_id))
            && self.sender.sink.has_blob(&sent, part)?
        {
            return Ok(sent);
        }
        let change = match self.keep || part == Part::Other {
            true => None,
            false => self.sender.change(layer),
        };
        match (change, part) {
            (Some(form), Part::Layer(chain)) => self.reformed(layer, chain, form),
            _ => self.as_it_is(layer, part).map(|()| layer.clone()),
        }
    }

    /// A layer that is kept elsewhere is named and not fetched: an address in an image is nothing we connect to.
    fn foreign(&self, layer: &Descriptor) -> Result<Descriptor> {
        if self.sender.sink.takes_index() {
            return Ok(layer.clone());
        }
        Err(Error::new(Kind::Unsupported, format!("cannot copy the layer `{}`", layer.digest))
            .because("it is kept elsewhere, at addresses its manifest names, which are not followed")
            .hint("take an image that has all of its layers"))
    }

    /// Byte for byte.
    fn as_it_is(&self, layer: &Descriptor, part: Part<'_>) -> Result<()> {
        if self.sender.sink.has_blob(layer, part)? {
            return Ok(());
        }
        for repository in self.source.repositories(layer) {
            if self.sender.sink.mount_blob(layer, &repository)? {
                return Ok(());
            }
        }
        let task = format!("copying blob {}", layer.digest.short());
        let content = self.source.blob(layer)?;
        let meter = Meter::begin(self.sender.reporter, task, Some(layer.size));
        match content {
            Content::Stored(reader) => self.sender.send(reader, layer, part, meter),
            Content::Made(make) => piped(make, |reader| self.sender.send(reader, layer, part, meter)),
        }
    }

    /// In another form, unless the target has that already.
    fn reformed(&self, layer: &Descriptor, chain: &[Digest], form: Compression) -> Result<Descriptor> {
        let diff_id = *chain.last().expect("a layer is in its own chain");
        let spared = self.sender.recompress.others == Others::UnlessThere;
        if spared
            && convert::form_of(layer) != Some(Compression::None)
            && form != Compression::None
            && self.sender.sink.has_blob(layer, Part::Layer(chain))?
        {
            return Ok(layer.clone());
        }
        let recompress = self.sender.recompress;
        for known in self.source.forms(diff_id)? {
            let Some(known_form) = convert::form_of(&known.blob) else { continue };
            let is_it = known_form == form && recompress.has_level(&known, form);
            let other_does = spared && known_form != Compression::None;
            if !is_it && !other_does {
                continue;
            }
            let known = self.sender.known_as(known.blob, known_form);
            if self.sender.sink.has_blob(&known, Part::Layer(chain))? {
                return Ok(known);
            }
        }
        if recompress.unusual_level(form).is_none()
            && let Some(ready) = self.source.ready(diff_id, form)
        {
            let ready = self.sender.known_as(ready, form);
            self.as_it_is(&ready, Part::Layer(chain))?;
            self.source.remember(diff_id, ready.clone().into())?;
            return Ok(ready);
        }
        let content = self.source.blob(layer)?;
        // Of what is written here only the plain size tells how much there is to write.
        let has_size = matches!(content, Content::Stored(_)) || layer.digest == diff_id;
        let making = Making {
            task: format!("writing layer {}", diff_id.short()),
            bytes: has_size.then_some(layer.size).filter(|size| *size > 0),
            form,
        };
        let write = |out: &mut dyn Write, meter: &Meter<'_>| write_plain(content, layer, diff_id, out, meter);
        let sent = self.sender.send_made(making, Part::Layer(chain), write)?;
        let level = recompress.unusual_level(form);
        self.source.remember(diff_id, Packed { blob: sent.clone(), level })?;
        Ok(sent)
    }
}

/// Writes a layer's tar, which has to be the one the config names. What is read of a blob, or made, is counted.
fn write_plain(
    content: Content<'_>,
    layer: &Descriptor,
    diff_id: Digest,
    out: &mut dyn Write,
    meter: &Meter<'_>,
) -> Result<()> {
    let mut digesting = Digesting::new(out);
    let is_made = matches!(content, Content::Made(_));
    match content {
        Content::Made(make) => make(&mut Metered::new(&mut digesting, meter))?,
        Content::Stored(reader) => {
            let mut checked = Checked::new(Metered::new(reader, meter), layer);
            let copied = decode(&mut checked).and_then(|mut plain| pour(&mut plain, &mut digesting));
            copied.cannot("decompress the layer", layer.digest)?;
            checked.finish().cannot("read the blob", layer.digest)?;
        }
    }
    let (_, found, _) = digesting.finish().cannot("read the layer", layer.digest)?;
    let found = Digest::from_bytes(found);
    if found == diff_id {
        return Ok(());
    }
    let error = Error::corrupt(format!("cannot copy the layer `{}`", layer.digest));
    Err(match is_made {
        true => {
            error.because(format!("its files are now {found}")).hint("see what is damaged with `kiln check`")
        }
        false => error.because(format!("it unpacks to {found}, and the image's config says {diff_id}")),
    })
}

fn thread_failed() -> Error {
    Error::new(Kind::Io, "cannot copy the image").because("a thread failed")
}

impl Sender<'_> {
    /// The form that a layer gets; none if it stays as it is.
    fn change(&self, layer: &Descriptor) -> Option<Compression> {
        self.recompress.change(layer, self.wants, self.format)
    }

    /// A form of a layer, in the family of media types the target gets.
    fn known_as(&self, known: Descriptor, form: Compression) -> Descriptor {
        Descriptor { media_type: convert::layer_type(self.format, form).into(), ..known }
    }

    /// Sends a blob whose digest and size are known, and has its meter tell of it.
    fn send(
        &self,
        reader: impl Read + Send,
        blob: &Descriptor,
        part: Part<'_>,
        meter: Meter<'_>,
    ) -> Result<()> {
        let mut outgoing = Outgoing::known_as(reader, blob, &meter);
        self.sink.put_blob(&mut outgoing, part)?;
        outgoing.finish()?;
        drop(outgoing);
        meter.end(Some(blob.size));
        Ok(())
    }

    /// Sends the layer that `write` writes: making, compressing, digesting and sending go on side by side. The meter it
    /// is given counts what is read or made for it.
    pub fn send_made(
        &self,
        making: Making,
        part: Part<'_>,
        write: impl FnOnce(&mut dyn Write, &Meter<'_>) -> Result<()> + Send,
    ) -> Result<Descriptor> {
        let Making { task, bytes, form } = making;
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        let media_type = convert::layer_type(self.format, form);
        let level = self.recompress.level(form);
        let mut annotations = BTreeMap::new();
        let said = &mut annotations;
        // Taken before anything is asked of the sink, which might not wait so long for what it was told of; and before
        // anything is told, for the time a layer waits is none it takes.
        let turn = matches!(form, Compression::Zstd | Compression::ZstdChunked).then(|| self.turn.take());
        let meter = Meter::begin(self.reporter, task, bytes);
        let counts = &meter;
        let compress = move |out: &mut dyn Write| {
            let _turn = turn;
            let mut encoder = Encoder::new(form, level, workers, out).cannot("compress", "the layer")?;
            write(&mut encoder, counts)?;
            *said = encoder.finish().cannot("compress", "the layer")?.1;
            Ok(())
        };
        let sent = match self.precompute {
            Some(dir) => {
                let (file, made) = compute(compress, dir, media_type)?;
                meter.end(None);
                self.send_computed(file, &made, dir, part)?;
                made
            }
            None => {
                let sent = piped(compress, |reader| {
                    let mut blob = Outgoing::unknown(reader, media_type, counts);
                    self.sink.put_blob(&mut blob, part)?;
                    blob.finish()
                })?;
                meter.end(Some(sent.size));
                sent
            }
        };
        Ok(Descriptor { annotations, ..sent })
    }

    /// Sends a blob that was made in a file in `dir`, unless it is there.
    fn send_computed(&self, file: Unfinished, made: &Descriptor, dir: &Path, part: Part<'_>) -> Result<()> {
        if self.sink.has_blob(made, part)? {
            return Ok(());
        }
        let mut file = file.into_file().cannot("read a layer in", dir.display())?;
        file.seek(SeekFrom::Start(0)).cannot("read a layer in", dir.display())?;
        let task = format!("copying blob {}", made.digest.short());
        self.send(file, made, part, Meter::begin(self.reporter, task, Some(made.size)))
    }
}

/// Makes a blob in a file in `dir`.
fn compute(
    make: impl FnOnce(&mut dyn Write) -> Result<()>,
    dir: &Path,
    media_type: &str,
) -> Result<(Unfinished, Descriptor)> {
    let file = Unfinished::begin(dir).cannot("write a layer into", dir.display())?;
    let mut digesting = Digesting::new(file);
    make(&mut digesting)?;
    let (file, digest, size) = digesting.finish().cannot("write a layer into", dir.display())?;
    Ok((file, Descriptor::new(media_type, Digest::from_bytes(digest), size)))
}

/// Runs `make` beside `take`, which reads what the other writes. What went wrong first is what is told.
pub(super) fn piped<T>(
    make: impl FnOnce(&mut dyn Write) -> Result<()> + Send,
    take: impl FnOnce(Outlet) -> Result<T>,
) -> Result<T> {
    std::thread::scope(|scope| {
        let (mut inlet, outlet) = pipe();
        let maker = scope.spawn(move || match make(&mut inlet) {
            Ok(()) => {
                // Fails only if the reader is gone, which then says why.
                let _ = inlet.finish();
                None
            }
            Err(error) => inlet.fail(io::Error::other("it could not be made")).then_some(error),
        });
        let taken = take(outlet);
        match (maker.join(), taken) {
            (Ok(Some(error)), Err(_)) => Err(error),
            (_, taken) => taken,
        }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
