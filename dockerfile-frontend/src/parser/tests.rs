//! Tests of `parser`.
