//! Kiln's own store as a place that images come from and go to.

mod sink;
mod source;

pub(crate) use sink::StoreSink;
pub(crate) use source::StoreSource;
