//! A layer that was made just now, and whose digest nobody knows yet: hashed, compressed and sent in one pass.

use crate::builder::Builder;
use crate::error::Result;
use crate::event::Metered;
use crate::layer::{Compression, Times};
use crate::oci::Format;
use crate::store::export::TreeLayer;
use crate::store::layers::{Export, Packed};
use crate::transport::blobs::{Making, Sender};
use crate::transport::convert::Recompress;
use crate::transport::sink::{Part, Sink};
use crate::transport::turn::Turn;

/// Sends the layer of the container `name`, which is a tree, and says what its tar and its blob are. The image that has
/// it is copied afterwards, and then finds it sent.
pub(crate) fn send_layer(
    builder: &Builder<'_>,
    name: &str,
    layer: &TreeLayer,
    times: Times,
    sink: &dyn Sink,
    recompress: Recompress,
    format: Format,
) -> Result<Export> {
    let store = &builder.store;
    if let Some(known) = layer.remembered(store, times)? {
        // Its digest is known: the copy sends it, or finds it there.
        return Ok(known);
    }
    let form = recompress.change_of(Compression::None, sink.wants(), format).unwrap_or(Compression::None);
    let mut export = None;
    let sender = Sender {
        wants: sink.wants(),
        sink,
        reporter: builder.reporter(),
        recompress,
        format,
        precompute: None,
        turn: Turn::default(),
    };
    let mut tried = 0;
    let sent = loop {
        // Nobody knows yet how long it is: all that is told of it is where it comes from.
        let making = Making { task: format!("writing layer of {name}"), bytes: None, form };
        let sent = sender.send_made(making, Part::Layer(&[]), |out, meter| {
            export = Some(layer.write(store, times, &mut Metered::new(out, meter))?);
            Ok(())
        });
        match sent {
            Err(error) if sink.send_again(&error, tried) => tried += 1,
            sent => break sent?,
        }
    };
    let mut export = export.expect("a layer that was sent was written");
    export.blobs.push(Packed { blob: sent, level: recompress.unusual_level(form) });
    Ok(export)
}
