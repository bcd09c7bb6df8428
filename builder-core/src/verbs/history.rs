//! `history`: what made each layer of an image, as its config tells, the newest first.

use crate::builder::Builder;
use crate::error::Result;
use crate::oci::{Digest, History as Line};
use crate::verbs::images::inspect_image;

/// One line of an image's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryLine {
    /// The image that ends with this line; only the newest is known.
    pub image: Option<Digest>,
    /// Its names, on the same line.
    pub names: Vec<String>,
    /// What the config says.
    pub line: Line,
    /// Bytes of the layer that belongs to it, as it is kept; 0 where none does.
    pub size: u64,
}

/// The lines of an image, the newest first.
pub fn history(builder: &Builder<'_>, image: &str) -> Result<Vec<HistoryLine>> {
    let found = inspect_image(builder, image)?;
    let mut layers = found.manifest.layers.iter().map(|layer| layer.size);
    let mut lines: Vec<HistoryLine> = Vec::new();
    for line in found.config.history {
        let size = if line.empty_layer { 0 } else { layers.next().unwrap_or(0) };
        lines.push(HistoryLine { image: None, names: Vec::new(), line, size });
    }
    // Layers of an image that tells nothing of them.
    lines.extend(layers.map(|size| HistoryLine {
        image: None,
        names: Vec::new(),
        line: Line::default(),
        size,
    }));
    lines.reverse();
    if let Some(newest) = lines.first_mut() {
        newest.image = Some(found.info.id);
        newest.names = found.info.names;
    }
    Ok(lines)
}
