//! Layers that come before anything says what they are: hashed, brought into form and sent in one pass. The image that
//! has them is copied afterwards, and then finds them sent.

use crate::error::{Context, Result};
use crate::event::{Metered, Reporter};
use crate::layer::{Compression, Digesting, pour};
use crate::oci::{Digest, Format};
use crate::transport::blobs::{Making, Sender};
use crate::transport::convert;
use crate::transport::copy::{CopyOptions, wanted};
use crate::transport::sink::{Part, Sink};
use crate::transport::source::{Ahead, SentAhead, Source};
use crate::transport::turn::Turn;

/// Has a source that is a stream send what comes first in it, if the sink takes it so; any other sends nothing.
pub(super) fn send(
    source: &dyn Source,
    sink: &dyn Sink,
    options: &CopyOptions,
    reporter: &dyn Reporter,
) -> Result<()> {
    if !sink.takes_ahead() {
        return Ok(());
    }
    let recompress = options.recompress;
    let mut number = 0;
    let send: &mut Ahead<'_> = &mut |layer, size| {
        // Streams are archives of Docker's, and so is the manifest that is made up for them.
        let format = convert::choose_format(options.format, Format::Docker, sink.formats(), recompress)?;
        let wants = wanted(sink, options.wants);
        let form = recompress.change_of(Compression::None, wants, format).unwrap_or(Compression::None);
        let sender =
            Sender { sink, reporter, recompress, wants, format, precompute: None, turn: Turn::default() };
        // What it is shows at its end; until then it goes by its place in the stream.
        number += 1;
        let making = Making { task: format!("writing layer {number}"), bytes: size, form };
        let mut found = None;
        let blob = sender.send_made(making, Part::Layer(&[]), |out, meter| {
            let mut digesting = Digesting::new(out);
            pour(&mut Metered::new(layer, meter), &mut digesting).cannot("read", "the layer")?;
            let (_, digest, size) = digesting.finish().cannot("read", "the layer")?;
            found = Some((Digest::from_bytes(digest), size));
            Ok(())
        })?;
        let (diff_id, size) = found.expect("a layer that was sent was read");
        Ok(SentAhead { diff_id, size, blob })
    };
    source.send_ahead(send)
}
