//! stub
/// stub
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// a
    None,
    /// b
    Trusted,
    /// c
    User,
}
