//! One pass over an archive of an image that comes as a stream, where layers may come before what says that they are.
//!
//! What is small is kept, for it may be a config or a manifest; what is large can only be a layer, and is handed on.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::Daemon;
use crate::error::{Context, Error, Result};
use crate::layer::tar::{Member, Members, TarIndex};
use crate::layer::{Compression, decode, pour};
use crate::name::DaemonImage;
use crate::transport::files::Files;

/// What is longer is not kept, bytes: no config or manifest is.
const SMALL: u64 = 1 << 20;

/// What is kept of one archive at most, bytes.
const MAX_KEPT: u64 = 64 << 20;

/// What was found in an archive.
#[derive(Debug, Default)]
pub(super) struct Survey {
    index: TarIndex,
    /// The small files, by where they begin.
    kept: BTreeMap<u64, Vec<u8>>,
    /// How many bytes each large file has when it is not compressed, by where it begins.
    large: BTreeMap<u64, u64>,
}

impl Survey {
    /// Reads an archive to its end. `take` gets each large file, decompressed, with its length where the archive tells
    /// that, and says how many bytes it were.
    pub fn of(
        archive: impl Read + Send,
        mut take: impl FnMut(&mut (dyn Read + Send), Option<u64>) -> Result<u64>,
    ) -> Result<Self> {
        let mut survey = Survey::default();
        let mut kept = 0;
        let mut members = Members::of_stream(archive);
        while let Some(member) = members.next()? {
            if let Member::File { at, size, .. } = member {
                if size > SMALL {
                    let mut plain = decode(&mut members).cannot("read", "the archive")?;
                    let is_plain = plain.compression() == Some(Compression::None);
                    survey.large.insert(at, take(&mut plain, is_plain.then_some(size))?);
                } else {
                    kept += size;
                    if kept > MAX_KEPT {
                        return Err(Error::corrupt("cannot read the archive")
                            .because("it has more small files than any image"));
                    }
                    let mut bytes = Vec::new();
                    members.read_to_end(&mut bytes).cannot("read", "the archive")?;
                    survey.kept.insert(at, bytes);
                }
            }
            survey.index.put(member);
        }
        members.drain().cannot("read", "the archive")?;
        Ok(survey)
    }
}

/// The files of an archive that the daemon writes anew whenever a large one is asked for.
pub(super) struct Written {
    /// Who writes it.
    pub daemon: Daemon,
    /// Of which image.
    pub image: DaemonImage,
    /// What was found in it.
    pub survey: Survey,
}

impl Files for Written {
    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let (at, size) = self.survey.index.find(name)?;
        match self.survey.kept.get(&at) {
            Some(bytes) if size <= limit => Ok(bytes.clone()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it is larger than {} bytes", limit.min(SMALL)),
            )),
        }
    }

    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let (at, size) = self.survey.index.find(name)?;
        if let Some(bytes) = self.survey.kept.get(&at) {
            return Ok((Box::new(io::Cursor::new(bytes.clone())), size));
        }
        let archive = self.daemon.archive(&self.image).map_err(io::Error::other)?;
        let mut members = Members::of_stream(archive);
        while let Some(member) = members.next().map_err(io::Error::other)? {
            if matches!(member, Member::File { at: now, .. } if now == at) {
                return Ok((Box::new(members), size));
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the daemon writes another archive now"))
    }

    fn plain_size(&self, name: &str) -> io::Result<u64> {
        let (at, size) = self.survey.index.find(name)?;
        if let Some(plain) = self.survey.large.get(&at) {
            return Ok(*plain);
        }
        let (mut plain, _) = (decode(self.open(name)?.0)?, size);
        pour(&mut plain, &mut io::sink())
    }
}
