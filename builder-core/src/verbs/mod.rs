//! All verbs that do not change a container's content: making and removing, committing, moving, listing, checking.

pub(crate) mod beside;
pub mod check;
pub mod commit;
pub mod containers;
pub mod copy_image;
pub mod diff;
pub mod doctor;
pub mod du;
pub mod fork;
pub mod from;
pub mod history;
pub mod images;
pub mod info;
pub mod load;
pub mod log;
pub mod login;
pub mod look;
pub mod manifest;
pub mod mount;
pub mod pull;
pub mod push;
pub mod remote;
pub mod save;
pub mod shell;
pub mod source;
pub mod undo;
