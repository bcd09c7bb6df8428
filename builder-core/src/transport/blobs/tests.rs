//! What is told of blobs on their way.

use std::path::Path;

use super::*;
use crate::oci::media_type;
use crate::testing::Heard;
use crate::transport::layout::LayoutSink;
use crate::transport::source::RawManifest;

/// The tar of a layer; nobody looks into it.
const TAR: &[u8] = &[7; 3000];

/// A place whose layers are compressed blobs, or files.
struct Layers {
    made: bool,
    /// Whether it gives something else than the tar.
    damaged: bool,
}

impl Source for Layers {
    fn name(&self) -> String {
        "layers".into()
    }

    fn manifest(&self) -> Result<RawManifest> {
        unreachable!("only blobs are asked for")
    }

    fn instance(&self, _descriptor: &Descriptor) -> Result<RawManifest> {
        unreachable!("only blobs are asked for")
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        let tar: &[u8] = if self.damaged { b"else" } else { TAR };
        Ok(match (self.made, blob.digest == Digest::of(TAR)) {
            (true, _) => Content::Made(Box::new(move |out| out.write_all(tar).cannot("write", "it"))),
            (false, true) => Content::Stored(Box::new(tar)),
            (false, false) => Content::Stored(Box::new(io::Cursor::new(compressed()))),
        })
    }
}

/// The tar in another form.
fn compressed() -> Vec<u8> {
    let mut encoder = Encoder::new(Compression::Gzip, 6, 1, Vec::new()).unwrap();
    encoder.write_all(TAR).unwrap();
    encoder.finish().unwrap().0
}

/// Sends a layer that is `layer` at `source` into a layout, in the form that is asked for, and gives what was told and
/// how many bytes the target has got.
fn sent(
    source: &Layers,
    layer: &Descriptor,
    to: Compression,
    precompute: Option<&Path>,
) -> (Vec<String>, u64) {
    let dir = tempfile::tempdir().unwrap();
    let sink = LayoutSink::open(&dir.path().join("layout"), None).unwrap();
    let heard = Heard::default();
    let recompress = Recompress { to: Some(to), level: None, others: Others::Change };
    let sender = Sender {
        sink: &sink,
        reporter: &heard,
        recompress,
        wants: Wants::Any,
        format: Format::Oci,
        precompute,
        turn: Turn::default(),
    };
    let config = b"{}".as_slice();
    let blobs = Blobs { source, sender, keep: false };
    let described = Descriptor::of(media_type::CONFIG, config);
    let sent = blobs.all((&described, config), std::slice::from_ref(layer), &[Digest::of(TAR)]);
    (heard.told(), sent.map_or(0, |sent| sent[0].size))
}

fn lines(text: &str) -> Vec<String> {
    let (tar, gzip) = (Digest::of(TAR), Digest::of(&compressed()));
    let config = Digest::of(b"{}").short();
    let text = text.replace("CONFIG", &config).replace("TAR", &tar.short()).replace("GZIP", &gzip.short());
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

const CONFIG: &str =
    "began copying config CONFIG: 2\nmoved copying config CONFIG: 2\nended copying config CONFIG: 2\n";

#[test]
fn a_layer_that_is_made_or_changes_has_a_name_and_its_whole_length() {
    let plain = Descriptor::of(media_type::LAYER, TAR);
    let made = Layers { made: true, damaged: false };
    let (told, size) = sent(&made, &plain, Compression::Zstd, None);
    let writing = |of: usize, size: u64| {
        lines(&format!(
            "{CONFIG}began writing layer TAR: {of}\nmoved writing layer TAR: {of}\nended writing layer TAR: {size}"
        ))
    };
    assert_eq!(told, writing(TAR.len(), size));
    assert!((1..100).contains(&size), "{size}");
    // What is read of a blob is counted as it is there.
    let packed = Descriptor::of(media_type::LAYER_GZIP, &compressed());
    let stored = Layers { made: false, damaged: false };
    let (told, size) = sent(&stored, &packed, Compression::Zstd, None);
    assert_eq!(told, writing(compressed().len(), size));
    // How long files are whose manifest names a compressed blob, nobody knows.
    let (told, _) = sent(&made, &packed, Compression::Zstd, None);
    assert_eq!(told[3], lines("began writing layer TAR: ?")[0]);
}

#[test]
fn a_layer_that_is_made_first_is_told_of_twice_and_sent_once() {
    let dir = tempfile::tempdir().unwrap();
    let packed = Descriptor::of(media_type::LAYER_GZIP, &compressed());
    let stored = Layers { made: false, damaged: false };
    let (told, size) = sent(&stored, &packed, Compression::None, Some(dir.path()));
    let (read, plain) = (compressed().len(), TAR.len());
    assert_eq!(size, TAR.len() as u64);
    let writing = format!(
        "began writing layer TAR: {read}\nmoved writing layer TAR: {read}\nended writing layer TAR: ?"
    );
    let copying = format!(
        "began copying blob TAR: {plain}\nmoved copying blob TAR: {plain}\nended copying blob TAR: {plain}"
    );
    assert_eq!(told, lines(&format!("{CONFIG}{writing}\n{copying}")));
}

#[test]
fn what_fails_has_stopped_and_not_ended() {
    let plain = Descriptor::of(media_type::LAYER, TAR);
    for made in [true, false] {
        let (told, size) = sent(&Layers { made, damaged: true }, &plain, Compression::Zstd, None);
        assert_eq!(told.last(), lines("stopped writing layer TAR").last());
        assert!(size == 0 && !told.iter().any(|line| line.starts_with("ended writing")), "{told:?}");
    }
}
