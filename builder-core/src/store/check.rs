//! stub
/// a
#[derive(Debug)]
pub struct CheckOptions;
/// a
#[derive(Debug)]
pub struct CheckReport;
/// a
#[derive(Debug)]
pub struct Finding;
use crate::store::*;
impl Store {
    pub(super) fn distrust_tree(&self, _t: &TreeId) -> Result<()> {
        Ok(())
    }
}
