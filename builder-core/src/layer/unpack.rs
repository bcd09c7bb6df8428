//! From a layer's blob to its tree in one pass: decompressing, hashing and making files go on side by side.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use sha2::{Digest, Sha256};

use super::compress::{Compression, decode};
use super::tar::read;
use crate::error::{Context, Error, Result};
use crate::layer::Pieces;
use crate::tree::{Apply, Options, Root, Stats};

/// How many bytes go from thread to thread at a time.
const PIECE: usize = 256 * 1024;

/// How many pieces wait for one thread at most.
const PIECES: usize = 8;

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// SHA-256 of the tar: the layer's diff id.
    pub digest: [u8; 32],
    /// Length of the tar in bytes.
    pub size: u64,
    /// How the blob was compressed, if Kiln writes that form too.
    pub compression: Option<Compression>,
    /// What was made.
    pub stats: Stats,
}

type Piece = Arc<Vec<u8>>;

/// Unpacks `blob`, a tar in any compression, below `into`. The blob is read to its end.
///
/// After a failure the tree is unfinished and to be thrown away.
pub(crate) fn unpack(blob: impl Read + Send, into: &Root, options: Options) -> Result<Unpacked> {
    let decoder = decode(blob).cannot("read", "the layer")?;
    let compression = decoder.compression();
    std::thread::scope(|scope| {
        let (to_tar, pieces) = sync_channel(PIECES);
        let (to_hash, hashed) = sync_channel::<Piece>(PIECES);
        scope.spawn(move || pump(decoder, &to_tar, &to_hash));
        let hasher = scope.spawn(move || {
            let (mut hasher, mut size) = (Sha256::new(), 0);
            for piece in hashed {
                hasher.update(&*piece);
                size += piece.len() as u64;
            }
            (hasher.finalize().into(), size)
        });
        // Dropping the receiver, on success or failure, ends the other two.
        let stats = apply(Pieces::new(pieces), into, options)?;
        let (digest, size) =
            hasher.join().map_err(|_| Error::new(crate::Kind::Io, "cannot hash the layer"))?;
        Ok(Unpacked { digest, size, compression, stats })
    })
}

fn apply(pieces: Pieces<Piece>, into: &Root, options: Options) -> Result<Stats> {
    let mut apply = Apply::new(into, options)?;
    let mut entries = read(pieces);
    for entry in entries.by_ref() {
        apply.put(entry?)?;
    }
    let stats = apply.finish()?;
    // What follows the end mark belongs to the digest.
    entries.drain()?;
    Ok(stats)
}

/// Hands the plain bytes to both threads until one of them is gone.
fn pump(mut decoder: impl Read, to_tar: &SyncSender<io::Result<Piece>>, to_hash: &SyncSender<Piece>) {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        match (&mut decoder).take(PIECE as u64).read_to_end(&mut piece) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                let _ = to_tar.send(Err(error));
                return;
            }
        }
        let piece = Arc::new(piece);
        if to_hash.send(piece.clone()).is_err() || to_tar.send(Ok(piece)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
