//! What must never come back: layers that change after their commit, images that depend on how the work was cut into
//! steps, on the machine or on the moment, and verbs that wait for each
//! other for ever.

mod crosswise;
mod edits;
mod held;
mod reproducible;
