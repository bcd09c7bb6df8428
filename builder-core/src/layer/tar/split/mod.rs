//! tar-split: a tar without the content of its files, so that the very same bytes can be made again of that and a
//! directory tree.
//!
//! The form is that of the tar-split project, as containers/storage keeps it beside each layer: gzip, in it one JSON
//! object a line. `type` 2 is a segment, bytes of the tar as they are; `type` 1 is a file's content, by `name`
//! (`name_raw` if that is no UTF-8), `size`, and as `payload` its CRC-64 (ISO 3309), big endian.

mod crc;
mod join;
mod record;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

pub(crate) use join::join;
pub(crate) use record::Recorder;

/// `type` of a file's content.
const FILE: u8 = 1;
/// `type` of bytes as they are.
const SEGMENT: u8 = 2;

/// As many bytes as one segment has at most when it is written here: what follows the end mark may be long.
const MAX_SEGMENT: usize = 1 << 20;

/// One line.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_raw: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    size: u64,
    payload: Option<String>,
    position: u64,
}

fn is_zero(size: &u64) -> bool {
    *size == 0
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests;
