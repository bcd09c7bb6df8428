//! stub
/// a
#[derive(Debug)] pub struct CheckOptions{ /// a
pub deep: bool, /// a
pub repair: bool}
/// a
#[derive(Debug)] pub struct CheckReport { /// a
pub findings: Vec<Finding>}
/// a
#[derive(Debug)] pub struct Finding { /// a
pub what: String, /// a
pub repaired: bool }
use crate::store::*;
impl Store { pub(super) fn distrust_tree(&self, _t: &TreeId) -> Result<()> { Ok(()) } }
/// a
pub fn check(_b: &crate::Builder<'_>, _o: CheckOptions) -> Result<CheckReport> { Ok(CheckReport { findings: Vec::new() }) }
