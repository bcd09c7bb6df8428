//! From layers and an upper to a mounted tree, and back to a frozen upper.
//!
//! [`trees`] makes sure the layers of an image are there as trees; [`mounted`] shows a container's files, by the
//! kernel's overlay, by [`fuse`] where that is refused, or as a copy ([`plain`]) where both are; [`fold`] keeps the
//! number of its layers small and [`linked`] the names of a file together; [`freeze`] makes parts of what changed, and
//! [`quiet`] decides whether an upper may be frozen; [`mapped`] shows owners as a user namespace has them; [`traces`]
//! takes away what a killed run left.

mod copy_upper;
mod fold;
mod freeze;
mod fuse;
mod image;
pub(crate) mod linked;
mod mapped;
mod mounted;
mod plain;
mod quiet;
mod session;
mod traces;
pub(crate) mod trees;

pub(crate) use freeze::{freeze, freeze_held};
pub(crate) use image::{Part, frozen_part, image_part, open_frozen, open_image};
pub(crate) use mounted::{Rootfs, attach, clear_mark, detach, is_attached, take_down, wait_until_free};
pub(crate) use plain::{is_one as is_plain, renamed as renamed_plain, shown as plain_shown};
pub(crate) use quiet::{Quiet, quieten};
pub(crate) use session::begin as begin_session;
pub(crate) use traces::{Traces, clear as clear_traces};
