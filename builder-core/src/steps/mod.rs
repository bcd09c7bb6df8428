//! Verbs that change a working container: each a plain value first, then an action.

pub(crate) mod run;
