//! Keys: what changes one, and what does not.
