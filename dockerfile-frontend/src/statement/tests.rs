//! Tests of `statement`.
