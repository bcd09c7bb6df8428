//! Tests of `lexer`.
