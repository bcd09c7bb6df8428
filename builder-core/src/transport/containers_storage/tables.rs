//! The tables of a storage: lists of JSON objects. What Kiln does not know of an object stays as it is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lock;
use crate::error::{Context, Error, Result};

/// The largest table read: some hundred thousand layers.
const MAX_TABLE: u64 = 256 << 20;

/// One table, read.
#[derive(Debug, Default)]
pub(super) struct Table {
    items: Vec<Value>,
}

impl Table {
    /// Reads a table; one that is not there is empty.
    pub fn read(path: &Path) -> Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Table::default()),
            file => file.cannot("read", path.display())?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_TABLE + 1).read_to_end(&mut bytes).cannot("read", path.display())?;
        let unfit = |why: String| {
            Error::corrupt(format!("cannot read `{}`", path.display()))
                .because(why)
                .hint("see what is damaged with `podman images`, or name another storage: containers-storage:[DIR]NAME")
        };
        if bytes.len() as u64 > MAX_TABLE {
            return Err(unfit(format!("it is larger than {MAX_TABLE} bytes")));
        }
        if bytes.is_empty() {
            return Ok(Table::default());
        }
        let items: Option<Vec<Value>> =
            serde_json::from_slice(&bytes).map_err(|cause| unfit(cause.to_string()))?;
        Ok(Table { items: items.unwrap_or_default() })
    }

    /// Writes it whole. Its lock is held.
    pub fn write(&self, path: &Path) -> Result<()> {
        lock::replace(path, &serde_json::to_vec(&self.items).expect("JSON becomes JSON"))
    }

    /// All objects.
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// All objects, to be changed.
    pub fn items_mut(&mut self) -> &mut Vec<Value> {
        &mut self.items
    }

    /// The object with this id.
    pub fn find(&self, id: &str) -> Option<&Value> {
        self.items.iter().find(|item| item["id"] == id)
    }

    /// The object with this id, to be changed.
    pub fn find_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.items.iter_mut().find(|item| item["id"] == id)
    }

    /// A typed look at the object with this id.
    pub fn layer(&self, id: &str) -> Option<Layer> {
        Layer::of(self.find(id)?)
    }
}

/// What is read of a layer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Layer {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The layer below; empty for the lowest.
    pub parent: String,
    /// The digest of its blob as it came, `sha256:…`.
    pub compressed_diff_digest: String,
    /// The length of that.
    pub compressed_size: i64,
    /// Its diff id.
    pub diff_digest: String,
    /// The length of its tar.
    pub diff_size: i64,
    /// Every owner in it.
    pub uidset: Vec<u32>,
    /// Every group in it.
    pub gidset: Vec<u32>,
    flags: Option<serde_json::Map<String, Value>>,
}

impl Layer {
    fn of(item: &Value) -> Option<Self> {
        serde_json::from_value(item.clone()).ok()
    }

    /// Whether a process that was killed began it: its files are not to be used.
    pub fn is_incomplete(&self) -> bool {
        self.flags.as_ref().is_some_and(|flags| flags.get("incomplete") == Some(&Value::Bool(true)))
    }
}

/// What is written of a layer that is new.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct NewLayer {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The layer below; empty for the lowest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent: String,
    /// RFC 3339.
    pub created: String,
    /// The digest of its blob as it came.
    pub compressed_diff_digest: String,
    /// The length of that.
    pub compressed_size: u64,
    /// Its diff id.
    pub diff_digest: String,
    /// The length of its tar.
    pub diff_size: u64,
    /// How the blob was compressed: 0 not at all, 2 gzip, 4 zstd.
    #[serde(skip_serializing_if = "is_zero")]
    pub compression: u8,
    /// Every owner in it.
    pub uidset: Vec<u32>,
    /// Every group in it.
    pub gidset: Vec<u32>,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// The texts of a list in an object; none where there is no list.
pub(super) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
