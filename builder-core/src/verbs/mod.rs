//! All verbs that do not change a container's content: making and removing, committing, moving, listing, checking.

pub mod check;
pub mod commit;
pub mod containers;
pub mod fork;
pub mod from;
pub mod images;
pub mod info;
pub mod log;
pub mod mount;
pub mod pull;
pub mod push;
pub mod shell;
pub mod undo;
